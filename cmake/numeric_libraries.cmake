# Libraries that come without a CMake package of their own, as imported targets: hesse::openblas, hesse::lapacke,
# hesse::adolc and, where it is installed, hesse::liblbfgs. This is installed beside hesseConfig.cmake, so that whoever
# links to an installed Hesse finds them on the machine where they link, and no path of the machine that built it is
# exported.
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread REQUIRED)
find_library(OPENBLAS_LIBRARY openblas REQUIRED)
find_path(LAPACKE_INCLUDE_DIR lapacke.h PATH_SUFFIXES lapacke REQUIRED)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)
find_path(ADOLC_INCLUDE_DIR adolc/adolc.h REQUIRED)
find_library(ADOLC_LIBRARY adolc REQUIRED)
find_path(LIBLBFGS_INCLUDE_DIR lbfgs.h)
find_library(LIBLBFGS_LIBRARY lbfgs)
mark_as_advanced(OPENBLAS_INCLUDE_DIR OPENBLAS_LIBRARY LAPACKE_INCLUDE_DIR LAPACKE_LIBRARY ADOLC_INCLUDE_DIR ADOLC_LIBRARY
                 LIBLBFGS_INCLUDE_DIR LIBLBFGS_LIBRARY)

set(libraries OPENBLAS LAPACKE ADOLC)
if(LIBLBFGS_INCLUDE_DIR AND LIBLBFGS_LIBRARY)
  list(APPEND libraries LIBLBFGS)
endif()
foreach(library IN LISTS libraries)
  string(TOLOWER ${library} target)
  if(NOT TARGET hesse::${target})
    add_library(hesse::${target} UNKNOWN IMPORTED)
    set_target_properties(
      hesse::${target} PROPERTIES IMPORTED_LOCATION "${${library}_LIBRARY}"
                                  INTERFACE_INCLUDE_DIRECTORIES "${${library}_INCLUDE_DIR}")
  endif()
endforeach()
