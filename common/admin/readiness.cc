#include "common/admin/readiness.h"

#include "common/base/assert.h"

namespace aquifer::admin {

Readiness::Task Readiness::pending(std::string name) {
  std::lock_guard lock(mutex_);
  pending_.insert(name);
  return {*this, std::move(name)};
}

void Readiness::Task::done() noexcept {
  if (owner_ == nullptr) return;
  std::lock_guard lock(owner_->mutex_);
  auto mine = owner_->pending_.find(name_);
  AQUIFER_ASSERT(mine != owner_->pending_.end());
  owner_->pending_.erase(mine);
  owner_ = nullptr;
}

bool Readiness::ready() const {
  std::lock_guard lock(mutex_);
  return pending_.empty();
}

Response Readiness::answer() const {
  std::lock_guard lock(mutex_);
  if (pending_.empty()) return Response::text(200, "ready\n");
  std::string names;
  for (auto name = pending_.begin(); name != pending_.end(); name = pending_.upper_bound(*name)) {
    names.append(names.empty() ? "" : ", ").append(*name);
  }
  return Response::text(500, "not ready, pending: " + names + "\n");
}

}  // namespace aquifer::admin
