# ggml and libllama, unmodified, from CMAKE_PREFIX_PATH. Their own version files accept any 0.x, so the
# versions the decoder was tested with are checked here. Each refusal is one sentence.
set(LITESTAGE_GGML_VERSION_MIN 0.25.0)
set(LITESTAGE_GGML_VERSION_END 0.26.0)
set(LITESTAGE_LLAMA_VERSION_MIN 0.5.0)
set(LITESTAGE_LLAMA_VERSION_END 0.6.0)

# What was found under another prefix must not outlive it in the cache.
if(NOT "${CMAKE_PREFIX_PATH}" STREQUAL "${LITESTAGE_SEARCHED_PREFIX}")
  unset(ggml_DIR CACHE)
  unset(llama_DIR CACHE)
  unset(llama_LIBRARY CACHE)
endif()
set(LITESTAGE_SEARCHED_PREFIX "${CMAKE_PREFIX_PATH}" CACHE INTERNAL "CMAKE_PREFIX_PATH of the last run")

function(litestage_check_version name version folder min end)
  if(version VERSION_LESS min OR NOT version VERSION_LESS end)
    message(FATAL_ERROR "${name} ${version} in ${folder} does not fit: litestage needs at least ${min} and below "
                        "${end}; scripts/dependencies.sh builds one that fits.")
  endif()
endfunction()

find_package(ggml CONFIG QUIET)
if(NOT ggml_FOUND)
  message(FATAL_ERROR "ggml was not found: pass -DCMAKE_PREFIX_PATH=FOLDER with the folder where ggml and llama are "
                      "installed, or with the one that scripts/dependencies.sh prints.")
endif()
litestage_check_version(ggml "${ggml_VERSION}" "${ggml_DIR}"
                        ${LITESTAGE_GGML_VERSION_MIN} ${LITESTAGE_GGML_VERSION_END})

find_package(llama CONFIG QUIET)
if(NOT llama_FOUND)
  message(FATAL_ERROR "llama was not found beside ggml in ${ggml_DIR}: pass -DCMAKE_PREFIX_PATH=FOLDER with the "
                      "folder where both are installed, or with the one that scripts/dependencies.sh prints.")
endif()
litestage_check_version(llama "${llama_VERSION}" "${llama_DIR}"
                        ${LITESTAGE_LLAMA_VERSION_MIN} ${LITESTAGE_LLAMA_VERSION_END})
