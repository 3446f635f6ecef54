/* command.h: the program `postern`: one word, then that command's own arguments.
 *
 * main.c names the commands; each lives in a file of its own and returns the process's exit code.
 * docs/commands.md is the manual: what it says there and what happens here change together.
 *
 * Results go to standard output, errors and notices to standard error, one line each, beginning
 * with the program's name or the file's. Threads: one.
 */
#ifndef CONTROL_COMMAND_COMMAND_H
#define CONTROL_COMMAND_COMMAND_H

#include <stddef.h>

#include "platform/exit.h"

#include "platform/config/config.h"

#define COMMAND_CONFIG_DEFAULT "/etc/postern/postern.yaml"
#define COMMAND_SOCKET_DEFAULT "/run/postern/control.sock"
#define COMMAND_SOCKET_NAME    "control.sock"

/* argv[0] is the command's name; each ends in an exit code. */
int command_run(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_show_config(int argc, char **argv);
int command_status(int argc, char **argv);

/* Loads `file`, with every error on standard error. EXIT_OK: *config is the caller's;
 * EXIT_CONFIG. */
int command_load(const char *file, struct config **config);
void command_print_errors(const struct config_errors *errors);

#endif
