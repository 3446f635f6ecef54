#include "tests/unit/tcp/connecting.h"

struct bed bed;
struct client client;

int connecting_set_up(void **state)
{
    static const struct bed_options options = {
        .connections = 40, .half_open = CONNECTING_HALF_OPEN, .connections_a_client = 3};

    bed_open(&bed, &options);
    client_init(&client, &bed, 1);
    *state = &bed;
    return 0;
}

int connecting_tear_down(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}
