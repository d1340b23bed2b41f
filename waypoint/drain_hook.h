// Connections that are told when their loop is to end. On the loop's thread.
#pragma once

#include "common/base/assert.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace aquifer::waypoint {

/// Whoever can drain.
class Drains {
 public:
  Drains() = default;
  Drains(const Drains&) = delete;
  Drains& operator=(const Drains&) = delete;
  ~Drains() { AQUIFER_ASSERT(all_.empty()); }

  void drain_all() {
    for (const auto& entry : all_) entry.drain(entry.what);
  }

 private:
  friend class DrainHook;
  struct Entry {
    void* what;
    void (*drain)(void* what);
  };
  std::vector<Entry> all_;
};

/// While it lives, `what.drain()` is called when the loop drains.
class DrainHook {
 public:
  template <typename What>
  DrainHook(Drains& drains, What& what) : drains_(drains), what_(&what) {
    drains_.all_.push_back({&what, [](void* raw) { static_cast<What*>(raw)->drain(); }});
  }
  DrainHook(const DrainHook&) = delete;
  DrainHook& operator=(const DrainHook&) = delete;
  ~DrainHook() {
    std::erase_if(drains_.all_, [this](const Drains::Entry& entry) { return entry.what == what_; });
  }

 private:
  Drains& drains_;
  void* what_;
};

}  // namespace aquifer::waypoint
