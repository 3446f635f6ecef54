/* checksum.h: the Internet checksum (RFC 1071), and the TCP pseudo-headers. Hot path, no state. */
#ifndef DATAPLANE_NET_CHECKSUM_H
#define DATAPLANE_NET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds `length` bytes to a running sum (in memory order; an odd length is padded with zero, so only
 * the last piece may be odd). Start with 0. */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length);

/* Folds a running sum to 16 bits, not complemented, as it stands in memory. */
uint16_t checksum_fold(uint64_t sum);

/* The running sum of the pseudo-header (RFC 9293 3.1): addresses of `address_bytes` each (4 or 16),
 * protocol and TCP length in bytes. */
uint64_t checksum_pseudo(const uint8_t *source, const uint8_t *destination, size_t address_bytes,
                         uint8_t protocol, uint32_t length);

#endif
