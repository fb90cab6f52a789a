# Makes the Debian packages, unpacks them into a scratch folder, and uses what is there as somebody would who installed them.
# See CMakeLists.txt beside this file, which runs it.
cmake_minimum_required(VERSION 3.25)

function(run)
  message(STATUS "${ARGN}")
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${SCRATCH_DIR})
file(MAKE_DIRECTORY ${SCRATCH_DIR}/root)
run(${CPACK} -G DEB -C "${CONFIG}" --config ${BUILD_DIR}/CPackConfig.cmake -B ${SCRATCH_DIR})

# Dependencies: of linked files those that dpkg-shlibdeps found, of the static library what it is linked to.
set(expected_hesse libc6 libadolc2 libopenblas0 libboost-program-options)
set(expected_libhesse-dev libeigen3-dev libfmt-dev zlib1g-dev libadolc-dev libopenblas-dev libceres-dev)
set(expected_python3-hesse libc6 libadolc2 libopenblas0 python3-numpy)
foreach(package IN LISTS PACKAGES)
  file(GLOB deb ${SCRATCH_DIR}/${package}_${VERSION}_*.deb)
  if(NOT deb)
    message(FATAL_ERROR "there is no ${package}_${VERSION}_*.deb in ${SCRATCH_DIR}")
  endif()
  execute_process(COMMAND dpkg-deb --field ${deb} Depends OUTPUT_VARIABLE depends COMMAND_ERROR_IS_FATAL ANY)
  foreach(name IN LISTS expected_${package})
    if(NOT ", ${depends}" MATCHES "[,|] ${name}")
      message(FATAL_ERROR "${package} depends on '${depends}' and not on ${name}")
    endif()
  endforeach()
  run(dpkg-deb --extract ${deb} ${SCRATCH_DIR}/root)
endforeach()
set(usr ${SCRATCH_DIR}/root/usr)

if("hesse" IN_LIST PACKAGES)
  run(${usr}/bin/hesse list)
  # It says whether this machine has what it needs, which is not asked here; that it can say so is.
  execute_process(COMMAND ${usr}/bin/hesse doctor OUTPUT_VARIABLE said RESULT_VARIABLE status)
  if(NOT said MATCHES "${VERSION}" OR NOT status MATCHES "^[01]$")
    message(FATAL_ERROR "hesse doctor: exit status ${status}\n${said}")
  endif()
endif()
if("python3-hesse" IN_LIST PACKAGES)
  run(${CMAKE_COMMAND} -E env PYTHONPATH=${usr}/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 ${PYTHON} -c
      "import hesse; assert hesse.__file__.startswith('${usr}') and abs(hesse.trace([[2.0, 0], [0, 3]]).value - 5) < 1e-14")
endif()
# A program outside the tree, by the pkg-config file of the package; install_test.cmake uses the same files by CMake.
set(ENV{PKG_CONFIG_PATH} ${usr}/${LIBDIR}/pkgconfig)
execute_process(COMMAND ${PKG_CONFIG} --cflags --libs "hesse = ${VERSION}" OUTPUT_VARIABLE pc
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(FIND "${pc}" "-I${usr}/" at)
if(at EQUAL -1)
  message(FATAL_ERROR "pkg-config found another Hesse: ${pc}")
endif()
separate_arguments(pc UNIX_COMMAND "${pc}")
run(${CXX} -std=c++20 ${EXAMPLE}.cc -o ${SCRATCH_DIR}/example ${pc})
execute_process(COMMAND ${SCRATCH_DIR}/example OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ ${EXAMPLE}.out expected)
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "the example printed\n${printed}and not\n${expected}")
endif()
