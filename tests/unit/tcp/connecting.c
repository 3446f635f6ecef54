#include "tests/unit/tcp/connecting.h"

struct rig rig;
struct client client;

int connecting_set_up(void **state)
{
    static const struct rig_options options = {
        .connections = 40, .half_open = CONNECTING_HALF_OPEN, .connections_a_client = 3};

    rig_open(&rig, &options);
    client_init(&client, &rig, 1);
    *state = &rig;
    return 0;
}

int connecting_tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}
