#include "dataplane/ip/interface.h"

#include <string.h>

void ip_interface_link_local(struct ip_interface *interface)
{
    uint8_t *address = interface->link_local;

    memset(address, 0, 16);
    address[0] = 0xfe;
    address[1] = 0x80;
    memcpy(address + 8, interface->mac, 3);
    address[8] ^= 2;
    address[11] = 0xff;
    address[12] = 0xfe;
    memcpy(address + 13, interface->mac + 3, 3);
}

bool ip_interface_owns6(const struct ip_interface *interface, const uint8_t address[16])
{
    return memcmp(address, interface->link_local, 16) == 0 ||
           (interface->has_address6 && memcmp(address, interface->address6, 16) == 0);
}
