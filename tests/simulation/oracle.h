/* oracle.h: the one place of the simulator that looks into a connection (and never writes). */
#ifndef TESTS_SIMULATION_ORACLE_H
#define TESTS_SIMULATION_ORACLE_H

#include <stdio.h>

#include "dataplane/tcp/connection.h"
#include "world.h"

#endif
