# Configures the project against ggml and llama packages that do not fit; each must be refused in one
# sentence that names what was found. Run with -D SOURCE=, -D WORK= and -D GENERATOR=.
function(write_package name version)
  file(WRITE ${WORK}/prefix/lib/cmake/${name}/${name}-config.cmake "set(${name}_FOUND TRUE)\n")
  file(WRITE ${WORK}/prefix/lib/cmake/${name}/${name}-config-version.cmake
       "set(PACKAGE_VERSION ${version})\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
endfunction()

function(expect_refusal sentence)
  file(REMOVE_RECURSE ${WORK}/build)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix
            ${ARGN}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")  # CMake wraps messages
  string(FIND "${output}" "${sentence}" position)
  if(result EQUAL 0 OR position EQUAL -1)
    message(FATAL_ERROR "expected a refusal with '${sentence}', got (${result}): ${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK}/prefix)
expect_refusal("ggml was not found: pass -DCMAKE_PREFIX_PATH=FOLDER" -DCMAKE_DISABLE_FIND_PACKAGE_ggml=ON)
write_package(ggml 0.26.0)
expect_refusal("ggml 0.26.0 in ${WORK}/prefix/lib/cmake/ggml does not fit: litestage needs at least 0.25.0 and below 0.26.0;")
write_package(ggml 0.24.9)
expect_refusal("ggml 0.24.9 in")
write_package(ggml 0.25.3)
expect_refusal("llama was not found beside ggml" -DCMAKE_DISABLE_FIND_PACKAGE_llama=ON)
write_package(llama 0.6.0-dev)
expect_refusal("llama 0.6.0-dev in ${WORK}/prefix/lib/cmake/llama does not fit: litestage needs at least 0.5.0 and below 0.6.0;")
