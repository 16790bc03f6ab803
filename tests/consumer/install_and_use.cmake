# Installs the build at BUILD into a fresh prefix, runs the installed program, and builds and runs the
# consumer against it. Run with -D BUILD=, -D SOURCE=, -D WORK=, -D GENERATOR=, -D CXX= and -D CXX_FLAGS=.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "'${ARGN}' failed (${result}): ${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
# The moved program finds its libraries and its data by itself.
run(${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${WORK}/prefix/bin/litestage --help)
foreach(file include/litestage/decoder.h share/litestage/programs/direct.toml share/litestage/questions/demo.jsonl)
  if(NOT EXISTS ${WORK}/prefix/${file})
    message(FATAL_ERROR "${file} was not installed")
  endif()
endforeach()

# The README's program, as it stands there.
file(READ ${SOURCE}/../../README.md readme)
string(REGEX MATCH "```cpp\n([^`]*)```" found "${readme}")
if(NOT found)
  message(FATAL_ERROR "README.md has no C++ program")
endif()
file(WRITE ${WORK}/readme.cpp "${CMAKE_MATCH_1}")

file(WRITE ${WORK}/no_model.gguf "this is no model\n")
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix
    -DEMBEDDING_EXAMPLE=${SOURCE}/../../examples/embedding.cpp -DREADME_EXAMPLE=${WORK}/readme.cpp -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${CXX_FLAGS})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${WORK}/build/consumer ${WORK}/no_model.gguf)
if(NOT output MATCHES "refused: .*no_model.gguf")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()

if(DEFINED ENV{LITESTAGE_TEST_MODEL})
  run(${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${WORK}/build/embedding $ENV{LITESTAGE_TEST_MODEL})
  if(NOT output MATCHES "\\[solve\\].*Answer: ")
    message(FATAL_ERROR "the example of embedding printed: ${output}")
  endif()
endif()
