# Runs PROGRAM and holds what it prints against the file EXPECTED.
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE printed RESULT_VARIABLE status)
file(READ ${EXPECTED} expected)
if(NOT status EQUAL 0 OR NOT printed STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM}: exit status ${status}\nprinted:\n${printed}\nexpected:\n${expected}")
endif()
