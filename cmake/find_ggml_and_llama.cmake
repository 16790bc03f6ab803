# ggml and libllama, unmodified, from CMAKE_PREFIX_PATH. Their own version files accept any 0.x, so the
# versions the decoder was tested with are checked here.
set(LITESTAGE_GGML_VERSION_MIN 0.25.0)
set(LITESTAGE_GGML_VERSION_END 0.26.0)

find_package(ggml CONFIG QUIET)
find_package(llama CONFIG QUIET)
if(NOT ggml_FOUND OR NOT llama_FOUND)
  message(FATAL_ERROR "ggml and llama were not found: run scripts/dependencies.sh and pass the folder it prints as "
                      "-DCMAKE_PREFIX_PATH=FOLDER, or pass the folder where you installed both.")
endif()
if(ggml_VERSION VERSION_LESS LITESTAGE_GGML_VERSION_MIN OR NOT ggml_VERSION VERSION_LESS LITESTAGE_GGML_VERSION_END)
  message(FATAL_ERROR "ggml ${ggml_VERSION} in ${ggml_DIR} does not fit: litestage needs at least "
                      "${LITESTAGE_GGML_VERSION_MIN} and below ${LITESTAGE_GGML_VERSION_END}; scripts/dependencies.sh builds one that fits.")
endif()
