/* offline.h: `postern scan`: the appliance's content path without a network.
 *
 * A mail is put into a region of its own exactly as the appliance would store it (our Received
 * field in front, CRLF line ends) and handed to the same postern-scanner children over the same
 * channels, with the same deadlines and the same one retry. What comes out is the verdict the
 * appliance would have given.
 *
 * It lives with the dataplane because it *is* the dataplane to the scanner: it creates the region,
 * makes the channels and owns the messages. libclamav stays on the other side of the process line.
 *
 * Threads: one. Runs as any user. docs/commands.md has arguments, output and exit codes.
 */
#ifndef DATAPLANE_OFFLINE_OFFLINE_H
#define DATAPLANE_OFFLINE_OFFLINE_H

/* argv[0] is "scan". Returns the exit code: 0 all clean, 1 something infected, 2 an error or
 * something unscannable and nothing infected, 78 bad configuration. */
int offline_scan_command(int argc, char **argv);

#endif
