/* holders.h: whether each block is held by exactly those that name it: messages, connections, and
 * the store itself where it is cut into pieces. store_sound() and tcp_sound() each count their own;
 * this is where the two are laid side by side, block by block: one that a connection names and that
 * is free, or that two count where one holds, is seen though the sums agree.
 */
#ifndef TESTS_SIMULATION_HOLDERS_H
#define TESTS_SIMULATION_HOLDERS_H

#include "dataplane/tcp/endpoint.h"

/* MESSAGE_BLOCK_NONE, or the first block that is held more or less often than it is named; then
 * `more` is by how much. */
uint32_t holders_wrong(struct store *store, struct tcp_endpoint *endpoint, int *more);

#endif
