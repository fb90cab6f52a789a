# What every target of this project is compiled with; nothing of it reaches those who link to us.
add_library(hesse_build_flags INTERFACE)
target_compile_options(hesse_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(HESSE_WARNINGS_AS_ERRORS)
  target_compile_options(hesse_build_flags INTERFACE -Werror)
endif()
if(HESSE_COVERAGE)
  target_compile_options(hesse_build_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(hesse_build_flags INTERFACE --coverage)
endif()
if(HESSE_SANITIZE)
  target_compile_options(hesse_build_flags INTERFACE -fsanitize=${HESSE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # GCC's analysis of uninitialized values is misled by the sanitizers' own code; the other presets keep the warning.
  target_compile_options(hesse_build_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(hesse_build_flags INTERFACE -fsanitize=${HESSE_SANITIZE})
  # Functions resolved at load time run before the sanitizers are ready.
  target_compile_definitions(hesse_build_flags INTERFACE HESSE_NO_MULTIVERSION)
endif()
