# `cmake --install`: the program, the library with its headers and CMake package, and the data files.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/litestage)

install(TARGETS litestage_program RUNTIME)
install(TARGETS litestage EXPORT litestage_targets ARCHIVE)
install(DIRECTORY include/litestage DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY catalogue plans programs questions DESTINATION ${CMAKE_INSTALL_DATADIR}/litestage)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT litestage_targets NAMESPACE litestage:: DESTINATION ${package_folder})
configure_package_config_file(cmake/litestage-config.cmake.in ${CMAKE_BINARY_DIR}/litestage-config.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/litestage-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/litestage-config.cmake ${CMAKE_BINARY_DIR}/litestage-config-version.cmake
        DESTINATION ${package_folder})
