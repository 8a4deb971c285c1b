/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/version.h - the numbers of the plugin ABI.
 *
 * BP_ABI_MAJOR is part of the entry symbol's name and meant never to change. BP_API_LATEST is the
 * level that these headers describe; each release that adds anything raises it by one. A plugin
 * may define BP_API_LEVEL lower before it includes anything, and newer names are then hidden; it
 * may define BP_API_NEED lower when it probes the newer parts at run time with BP_HAS.
 *
 * Level 1 is a draft (BP_API_DRAFT is the level that is not yet frozen): until it is frozen, a
 * plugin has to be rebuilt when these headers change. BP_API_REVISION counts those changes.
 */
#ifndef BACKPLANE_VERSION_H
#define BACKPLANE_VERSION_H

#define BP_ABI_MAJOR    1
#define BP_API_LATEST   1
#define BP_API_MIN      1
#define BP_API_DRAFT    1
#define BP_API_REVISION 7

#ifndef BP_API_LEVEL
#define BP_API_LEVEL BP_API_LATEST
#endif
#ifndef BP_API_NEED
#define BP_API_NEED BP_API_LEVEL
#endif

#endif
