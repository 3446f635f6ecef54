/* Which scanners serve: candidates wait for an order, or stand in where nobody else is left. */
#include "dataplane/main/peers_links.h"
#include "platform/log/notice.h"

/* Lets the candidate serve. Returns how many of its children are ready. */
static uint32_t peers_promote(struct peers_server *server, struct peer_link *link)
{
    struct link_message message = {.type = LINK_SERVE};
    uint32_t serving = 0;

    for (uint32_t i = 0; i < link->slots; i++) {
        uint64_t life = peers_life(server->peers, link->first + i);

        if (peer_state_of(life) != PEER_CANDIDATE)
            continue;
        peers_set(server->peers, link->first + i, peer_epoch_of(life), PEER_READY);
        serving++;
    }
    link->candidate = false;
    notice("candidate scanners serve from now on: %u", serving);
    if (link_send(link->fd, &message, -1) != STATUS_OK)
        peers_drop(server, link, "does not read its link");
    return serving;
}

/* The newest candidate all of whose children are ready (or, `any`, one of them); null: none. */
static struct peer_link *peers_candidate(struct peers_server *server, bool any)
{
    struct peer_link *newest = NULL;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];
        uint32_t ready = 0;

        if (!peers_active(link, LINK_KIND_SCANNER) || !link->candidate)
            continue;
        for (uint32_t j = 0; j < link->slots; j++)
            ready += peer_state_of(peers_life(server->peers, link->first + j)) == PEER_CANDIDATE;
        if (ready >= (any ? 1 : link->slots) &&
            (newest == NULL || link->since_ns > newest->since_ns))
            newest = link;
    }
    return newest;
}

void peers_stand_in(struct peers_server *server)
{
    struct peer_link *candidate;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        const struct peer_link *link = &server->links[i];

        if (peers_active(link, LINK_KIND_SCANNER) && !link->candidate && !link->leaving)
            return;
    }
    candidate = peers_candidate(server, true);
    if (candidate == NULL)
        return;
    candidate->stood_in = true;
    (void)peers_promote(server, candidate);
}

/* How many children serve of a candidate that did not wait for the order. */
static uint32_t peers_stood_in(struct peers_server *server)
{
    uint32_t serving = 0;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];

        if (!peers_active(link, LINK_KIND_SCANNER) || !link->stood_in)
            continue;
        link->stood_in = false;
        for (uint32_t j = 0; j < link->slots; j++)
            serving += peer_state_of(peers_life(server->peers, link->first + j)) == PEER_READY;
    }
    return serving;
}

bool peers_order(struct peers_server *server, const struct peer_link *supervisor,
                 const struct link_message *message)
{
    struct link_message answer = {.type = LINK_SERVE};
    struct peer_link *candidate = peers_candidate(server, false);

    if (message->type != LINK_SERVE)
        return false;
    if (candidate != NULL)
        answer.slots = peers_promote(server, candidate);
    else
        answer.slots = peers_stood_in(server);
    return link_send(supervisor->fd, &answer, -1) == STATUS_OK;
}
