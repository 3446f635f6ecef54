/* customers.h: who may be written to: an immutable table made from the configuration.
 *
 * Built on the main thread, read by every worker; a reload builds a new one, workers switch at a
 * burst boundary, and the old one is freed when no message refers to it any more. Lookup is a hash
 * over the lower-cased domain: no allocation, bounded probes, hot path.
 */
#ifndef DATAPLANE_SMTP_CUSTOMERS_H
#define DATAPLANE_SMTP_CUSTOMERS_H

#include "platform/config/config.h"

struct smtp_customer {
    const struct config_customer *config; /* borrowed from the configuration it was made from */
    uint32_t generation;                  /* that configuration's number */
    uint32_t share; /* its place among those who share a worker's memory: share_place() */
};

struct smtp_customers; /* hostname, limits and the tables; dataplane/smtp/customers.c */

/* Makes the table. `config` must outlive it. STATUS_NO_MEMORY. */
enum status smtp_customers_create(const struct config *config,
                                  struct smtp_customers **customers) STATUS_CHECKED;
void smtp_customers_free(struct smtp_customers *customers);

const struct config *smtp_customers_config(const struct smtp_customers *customers);

/* The customer that serves `domain` (any case, `length` bytes), or null. */
const struct smtp_customer *smtp_customers_find(const struct smtp_customers *customers,
                                                const char *domain, size_t length);

/* Who `customer`, of an older table, is in this one: the customer of the same name, or, when there
 * is none any more, one whose mail is deferred whatever comes. Never null. */
const struct smtp_customer *smtp_customers_successor(const struct smtp_customers *customers,
                                                     const struct smtp_customer *customer);

/* True when `local`@`domain` is one of the customer's recipients, or it takes any. postmaster
 * always is (RFC 5321 4.5.1). */
bool smtp_customers_recipient(const struct smtp_customers *customers,
                              const struct smtp_customer *customer, const char *local,
                              size_t local_length, const char *domain, size_t domain_length);

#endif
