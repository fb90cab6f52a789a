# See CMakeLists.txt beside this file, which runs it.
cmake_minimum_required(VERSION 3.25)

function(run)
  message(STATUS "${ARGN}")
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${SCRATCH_DIR})
set(prefix ${SCRATCH_DIR}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --config "${CONFIG}" --prefix ${prefix}/first)

# Where the program has been built, its manual pages and its completion come along.
if(EXISTS ${prefix}/first/bin/hesse)
  foreach(file IN ITEMS share/man/man1/hesse.1 share/man/man1/hesse-sweep.1 share/bash-completion/completions/hesse)
    if(NOT EXISTS ${prefix}/first/${file})
      message(FATAL_ERROR "${file} is not installed")
    endif()
  endforeach()
endif()

# The installed tree may be moved, and no path of the build may have remained in what is read on other machines.
file(RENAME ${prefix}/first ${prefix}/moved)
file(GLOB_RECURSE texts ${prefix}/moved/${LIBDIR}/*.cmake ${prefix}/moved/${LIBDIR}/*.pc)
list(LENGTH texts count)
if(count LESS 5)
  message(FATAL_ERROR "expected the configuration files below ${prefix}/moved/${LIBDIR}, found ${count}")
endif()
foreach(text IN LISTS texts)
  file(READ ${text} content)
  foreach(path IN ITEMS ${BUILD_DIR} ${prefix}/first .so .a\")
    string(FIND "${content}" "${path}" at)
    if(NOT at EQUAL -1 AND NOT (path STREQUAL ".a\"" AND text MATCHES "hesse-targets-"))
      message(FATAL_ERROR "${text} names '${path}'")
    endif()
  endforeach()
endforeach()

set(flags "")
if(SANITIZE)
  string(APPEND flags " -fsanitize=${SANITIZE}")
endif()
if(COVERAGE)
  string(APPEND flags " --coverage")
endif()
# Debug, so that the template code of the headers is the only thing that takes time here.
run(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${SCRATCH_DIR}/build -G ${GENERATOR} -D CMAKE_PREFIX_PATH=${prefix}/moved
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_CXX_FLAGS=${flags} -D CMAKE_BUILD_TYPE=Debug -D HESSE_EXPECTED=${VERSION})
run(${CMAKE_COMMAND} --build ${SCRATCH_DIR}/build)
run(${SCRATCH_DIR}/build/consumer)

# The same program by pkg-config, where there is one.
find_program(PKG_CONFIG pkg-config)
if(PKG_CONFIG)
  set(ENV{PKG_CONFIG_PATH} ${prefix}/moved/${LIBDIR}/pkgconfig)
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs "hesse = ${VERSION}" OUTPUT_VARIABLE pc
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(pc UNIX_COMMAND "${pc}")
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run(${CXX} -std=c++20 ${flags} ${CONSUMER_DIR}/main.cc -o ${SCRATCH_DIR}/consumer_by_pkg_config ${pc})
  run(${SCRATCH_DIR}/consumer_by_pkg_config)
endif()
