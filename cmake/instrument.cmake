# What the build types and presets add to jb_flags: sanitizers, coverage, and
# in a Release build the hardening that a privileged daemon should have.
set(JB_SANITIZE "" CACHE STRING "sanitizers to build with: address,undefined")
option(JB_COVERAGE "build for gcov" OFF)

if(JB_SANITIZE)
	# Instrumented code hides from gcc how long a text can get.
	target_compile_options(jb_flags INTERFACE
		-fsanitize=${JB_SANITIZE} -fno-omit-frame-pointer
		-fno-sanitize-recover=all -Wno-format-truncation)
	target_link_options(jb_flags INTERFACE -fsanitize=${JB_SANITIZE})
endif()

if(JB_COVERAGE)
	target_compile_options(jb_flags INTERFACE --coverage)
	target_link_options(jb_flags INTERFACE --coverage)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
	include(CheckPIESupported)
	check_pie_supported(LANGUAGES C)
	target_compile_definitions(jb_flags INTERFACE _FORTIFY_SOURCE=3)
	target_compile_options(jb_flags INTERFACE
		-fstack-protector-strong -fstack-clash-protection)
	target_link_options(jb_flags INTERFACE
		LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endif()
