# Installs the library with its headers, so that others find it by find_package(hesse) or pkg-config, and the program.
# Components: development, program and, in apps/python, python; each is a Debian package too (packages.cmake).
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)

set(HESSE_CONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/hesse)

install(TARGETS hesse EXPORT hesse-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET hesse_app)
  # Optional, so that the library alone can be installed from a tree in which the program has not been built yet.
  install(TARGETS hesse_app RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program OPTIONAL)
  set(HESSE_DOCUMENTS ${PROJECT_BINARY_DIR}/apps/hesse/documents)
  install(DIRECTORY ${HESSE_DOCUMENTS}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program OPTIONAL)
  install(FILES ${HESSE_DOCUMENTS}/hesse.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME hesse COMPONENT program OPTIONAL)
  # What fetches data, where data_cache.cc looks for it.
  install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/fetch_data.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/hesse/scripts
          COMPONENT program)
  install(FILES ${PROJECT_SOURCE_DIR}/scripts/common.sh ${PROJECT_SOURCE_DIR}/scripts/decode_austen.py
          DESTINATION ${CMAKE_INSTALL_DATADIR}/hesse/scripts COMPONENT program)
  # What draws reports, where it was fetched before CMake ran: without it an installed program has static figures.
  # Whether it is the pinned one is seen when a page is written.
  if(DEFINED ENV{HESSE_DATA_DIR})
    set(cache $ENV{HESSE_DATA_DIR})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(cache $ENV{XDG_CACHE_HOME}/hesse/data)
  else()
    set(cache $ENV{HOME}/.cache/hesse/data)
  endif()
  install(FILES ${cache}/plotly/plotly-cartesian.min.js ${cache}/plotly/plotly.min.js
          DESTINATION ${CMAKE_INSTALL_DATADIR}/hesse/data/plotly COMPONENT program OPTIONAL)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/hesse DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT hesse-targets NAMESPACE hesse:: DESTINATION ${HESSE_CONFIG_DIR})

# A static library hands its own libraries on to whoever links to it, so the configuration file has to find those that
# it was linked to: Ceres, libLBFGS and MPI only if something in the library uses them.
get_target_property(HESSE_LINKED hesse LINK_LIBRARIES)
set(HESSE_NEEDS_CERES OFF)
if(HESSE_LINKED MATCHES "Ceres::ceres")
  set(HESSE_NEEDS_CERES ON)
endif()
set(HESSE_NEEDS_LIBLBFGS OFF)
if(HESSE_LINKED MATCHES "hesse::liblbfgs")
  set(HESSE_NEEDS_LIBLBFGS ON)
endif()
set(HESSE_NEEDS_MPI OFF)
if(HESSE_LINKED MATCHES "MPI::MPI_CXX")
  set(HESSE_NEEDS_MPI ON)
endif()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/hesseConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/hesseConfig.cmake
  INSTALL_DESTINATION ${HESSE_CONFIG_DIR} NO_SET_AND_CHECK_MACRO)
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/hesseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/hesseConfig.cmake ${PROJECT_BINARY_DIR}/cmake/hesseConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/numeric_libraries.cmake DESTINATION ${HESSE_CONFIG_DIR})

set(HESSE_PC_LIBS "-ladolc -llapacke -lopenblas -pthread")
if(HESSE_NEEDS_CERES)
  string(APPEND HESSE_PC_LIBS " -lceres -lglog")
endif()
if(HESSE_NEEDS_LIBLBFGS)
  string(APPEND HESSE_PC_LIBS " -llbfgs")
endif()
if(HESSE_NEEDS_MPI)
  string(APPEND HESSE_PC_LIBS " -lmpi")
endif()
# The prefix is relative to the file, so that the installed tree may be moved.
file(RELATIVE_PATH HESSE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/hesse.pc.in ${PROJECT_BINARY_DIR}/cmake/hesse.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/hesse.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(PROJECT_IS_TOP_LEVEL)
  include(${CMAKE_CURRENT_LIST_DIR}/packages.cmake)
endif()
