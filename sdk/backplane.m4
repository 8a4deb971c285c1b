# SPDX-License-Identifier: BSD-3-Clause
# backplane.m4 - for configure.ac of a device plugin.
#
# BP_CHECK([MINIMUM-LEVEL])
#   Looks for the SDK, of that API level at least, and stops without it. Substitutes
#     BACKPLANE_CFLAGS          compiler flags, those that every plugin needs included
#     BACKPLANE_LDFLAGS         linker flags: a shared object that exports its entry only
#     BACKPLANE_CHECK           the program backplane-check
#     plugindir                 where `make install` puts the plugin; configure --with-plugindir
#
# BP_CHECK_TEST
#   Looks for libbackplane-test and substitutes BACKPLANE_TEST_CFLAGS, BACKPLANE_TEST_LIBS. The
#   automake conditional HAVE_BACKPLANE_TEST says whether it was found.
AC_DEFUN([BP_CHECK], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([BACKPLANE], [backplane])
  AC_MSG_CHECKING([for the API level of backplane])
  bp_level=`$PKG_CONFIG --variable=api_level backplane`
  AC_MSG_RESULT([$bp_level])
  AS_IF([test "$bp_level" -lt "m4_default([$1], [1])"],
    [AC_MSG_ERROR([this plugin needs API level m4_default([$1], [1]) of backplane])])
  AC_ARG_WITH([plugindir], [AS_HELP_STRING([--with-plugindir=DIR], [where the plugin goes])],
    [plugindir=$withval], [plugindir=`$PKG_CONFIG --variable=plugindir backplane`])
  AC_SUBST([plugindir])
  BACKPLANE_CFLAGS="$BACKPLANE_CFLAGS -fPIC -fvisibility=hidden"
  bp_map=`$PKG_CONFIG --variable=mapfile backplane`
  AC_SUBST([BACKPLANE_LDFLAGS],
    ["-shared -Wl,-z,defs -Wl,-z,now -Wl,--version-script=$bp_map"])
  AC_SUBST([BACKPLANE_CHECK], [`$PKG_CONFIG --variable=check backplane`])
])
AC_DEFUN([BP_CHECK_TEST], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([BACKPLANE_TEST], [backplane-test], [bp_test=yes], [bp_test=no])
  AM_CONDITIONAL([HAVE_BACKPLANE_TEST], [test "x$bp_test" = xyes])
])
