#include "dataplane/net/frame.h"

#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

void frame_put_ethernet(uint8_t *frame, const struct packet_path *path, uint16_t type)
{
    memcpy(frame, path->peer_mac, 6);
    memcpy(frame + 6, path->own_mac, 6);
    if (path->vlan != 0) {
        bytes_put16(frame + 12, FRAME_TYPE_VLAN);
        bytes_put16(frame + 14, path->vlan);
        bytes_put16(frame + 16, type);
    } else {
        bytes_put16(frame + 12, type);
    }
}

void frame_put_ipv4(uint8_t *header, const uint8_t source[4], const uint8_t destination[4],
                    uint8_t protocol, uint32_t payload_bytes, bool leave_checksum)
{
    memset(header, 0, FRAME_IPV4_BYTES);
    header[0] = 0x45;
    bytes_put16(header + 2, (uint16_t)(FRAME_IPV4_BYTES + payload_bytes));
    header[6] = 0x40; /* do not fragment */
    header[8] = FRAME_TTL;
    header[9] = protocol;
    memcpy(header + 12, source, 4);
    memcpy(header + 16, destination, 4);
    if (!leave_checksum) {
        uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(0, header, FRAME_IPV4_BYTES));

        memcpy(header + 10, &checksum, sizeof(checksum));
    }
}

void frame_put_ipv6(uint8_t *header, const uint8_t source[16], const uint8_t destination[16],
                    uint8_t protocol, uint32_t payload_bytes, uint8_t hop_limit)
{
    memset(header, 0, 4);
    header[0] = 0x60;
    bytes_put16(header + 4, (uint16_t)payload_bytes);
    header[6] = protocol;
    header[7] = hop_limit;
    memcpy(header + 8, source, 16);
    memcpy(header + 24, destination, 16);
}
