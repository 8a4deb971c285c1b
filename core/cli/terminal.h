/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal.h - leaves the user's terminal as it was, however the program ends.
 *
 * A plugin may change the terminal's settings and puts them back when it is stopped. This is for
 * when it does not get there: a crash, an abort, a stop from the shell. It must not know what the
 * settings are changed to, or by whom.
 */
#ifndef CORE_CLI_TERMINAL_H
#define CORE_CLI_TERMINAL_H

/* Descriptors 0 to 2 that are closed become /dev/null, so that no other file takes their number.
 * First of all, by main(). */
void terminal_fill_descriptors(void);

/*
 * Remembers the settings of standard input, if that is a terminal, and from now on restores them
 * when the process exits, dies of a signal or is stopped by SIGTSTP; a process that goes on in the
 * foreground gets back what it had. Handlers that were there before are called afterwards. Once.
 */
void terminal_keep(void);

#endif
