/* command.h: `postern signatures`: makes a prefilter, and says what is in one.
 *
 * docs/commands.md has arguments, output and exit codes. Threads: one. Runs as any user.
 */
#ifndef SIGNATURES_COMPILE_COMMAND_H
#define SIGNATURES_COMPILE_COMMAND_H

/* argv[0] is "signatures". Returns the exit code: 0 ok, 1 failed, 2 wrong usage. */
int signatures_command(int argc, char **argv);

#endif
