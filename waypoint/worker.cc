#include "waypoint/worker.h"

namespace aquifer::waypoint {

Worker::Worker(io::Loop& l, const Node& n, std::size_t i)
    : loop(l),
      node(n),
      index(i),
      random(std::random_device()()),
      clusters(n.circuits, {.network = n.settings.network}),
      connector(*this),
      upstreams(l, connector),
      mirrors(*this),
      journal(l) {
  account.name = n.settings.gateway;
}

}  // namespace aquifer::waypoint
