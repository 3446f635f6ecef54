/* siphash.h: SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed hash that a peer cannot steer.
 *
 * Used for the connection table and for initial sequence numbers (RFC 6528). Hot path, no state.
 */
#ifndef DATAPLANE_NET_SIPHASH_H
#define DATAPLANE_NET_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t words[2];
};

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length);

#endif
