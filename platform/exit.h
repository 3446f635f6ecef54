/* exit.h: with what a program of ours ends. The supervisor decides by them, docs/commands.md names
 * them. (`postern scan` keeps clamscan's own: dataplane/offline/command.c.) */
#ifndef PLATFORM_EXIT_H
#define PLATFORM_EXIT_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,  /* one line on standard error says why */
    EXIT_USAGE = 2,   /* wrong arguments */
    EXIT_CONFIG = 78, /* configuration or signature database cannot be used (EX_CONFIG) */
};

#endif
