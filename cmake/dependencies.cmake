# Everything comes from Debian 12; scripts/setup.sh installs it.
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(Spectra REQUIRED)
find_package(Ceres 2.1 REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)

# What makes several processes one run, where it is installed.
option(HESSE_MPI "Use MPI where it is found" ON)
if(HESSE_MPI)
  find_package(MPI QUIET COMPONENTS CXX)
endif()
if(NOT MPI_CXX_FOUND)
  message(STATUS "No MPI is used: hesse will run on one machine, in one process")
endif()

include(${CMAKE_CURRENT_LIST_DIR}/numeric_libraries.cmake)
