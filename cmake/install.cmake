# What `cmake --install` puts where. The default prefix is /usr/local; systemd
# and man find what they need there too.
set(JB_UNITDIR "lib/systemd/system" CACHE STRING
	"where systemd units go, below the prefix")
set(JB_EXAMPLEDIR "${CMAKE_INSTALL_DOCDIR}/examples")

install(TARGETS journalctl-backup)

# For plugins: the headers and a pkg-config file that names them.
install(DIRECTORY include/jb "${PROJECT_BINARY_DIR}/include/jb"
	DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
	FILES_MATCHING PATTERN "*.h")
configure_file(cmake/jb-policy.pc.in jb-policy.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/jb-policy.pc"
	DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# From this version on systemd can hold descriptors over a stop and a start.
if(SYSTEMD_VERSION VERSION_GREATER_EQUAL 254)
	set(JB_FDSTORE_PRESERVE "FileDescriptorStorePreserve=yes")
else()
	set(JB_FDSTORE_PRESERVE "# systemd ${SYSTEMD_VERSION} holds it over a \
restart, not over a stop and a start.")
endif()
configure_file(systemd/journalctl-backup.service.in
	systemd/journalctl-backup.service @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/systemd/journalctl-backup.service"
	DESTINATION "${JB_UNITDIR}")
install(FILES systemd/journalctl-backup.conf
	DESTINATION "${JB_EXAMPLEDIR}" OPTIONAL)

install(DIRECTORY docs/man/ DESTINATION "${CMAKE_INSTALL_MANDIR}/man1"
	FILES_MATCHING PATTERN "*.1")
install(DIRECTORY docs/man/ DESTINATION "${CMAKE_INSTALL_MANDIR}/man5"
	FILES_MATCHING PATTERN "*.5")
install(DIRECTORY docs/man/ DESTINATION "${CMAKE_INSTALL_MANDIR}/man8"
	FILES_MATCHING PATTERN "*.8")
install(FILES docs/completion/journalctl-backup.bash
	DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions"
	RENAME journalctl-backup)
install(FILES README.md CHANGELOG.md LICENSE
	DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}"
	FILES_MATCHING PATTERN "*.md" PATTERN "man" EXCLUDE
	PATTERN "completion" EXCLUDE)
