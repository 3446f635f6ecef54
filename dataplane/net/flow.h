/* flow.h: which TCP connection a frame belongs to, as a number, before anything of it is checked.
 *
 * For spreading flows over workers in software where the port cannot. Hot path, no state.
 */
#ifndef DATAPLANE_NET_FLOW_H
#define DATAPLANE_NET_FLOW_H

#include <stdint.h>

#include "dataplane/net/siphash.h"

/* A hash that is the same for every packet of a TCP connection; 0 for what is not TCP (worker 0
 * takes it). `key` is a secret: who could tell the hash could choose ports that all meet on one
 * worker. Reads nothing beyond `length`. */
uint32_t net_flow_hash(const struct siphash_key *key, const uint8_t *frame, uint32_t length);

#endif
