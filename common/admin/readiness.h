// Is the program ready, and if not, what is it waiting for? Any thread.
#pragma once

#include "common/admin/message.h"

#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace aquifer::admin {

/// Ready exactly when no task is pending. Outlives the tasks.
class Readiness {
 public:
  /// Keeps the program from being ready for as long as it lives.
  class Task {
   public:
    Task() noexcept = default;
    Task(Task&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), name_(std::move(other.name_)) {}
    Task& operator=(Task&& other) noexcept {
      if (this != &other) {
        done();
        owner_ = std::exchange(other.owner_, nullptr);
        name_ = std::move(other.name_);
      }
      return *this;
    }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task() { done(); }

    [[nodiscard]] bool pending() const noexcept { return owner_ != nullptr; }
    void done() noexcept;

   private:
    friend class Readiness;
    Task(Readiness& owner, std::string name) : owner_(&owner), name_(std::move(name)) {}
    Readiness* owner_ = nullptr;
    std::string name_;
  };

  /// Names are for people and may be used twice ("state manager", "proxy", "pod default/a").
  [[nodiscard]] Task pending(std::string name);
  [[nodiscard]] bool ready() const;
  /// 200 `ready`, or 500 with the names of what is pending.
  [[nodiscard]] Response answer() const;

 private:
  mutable std::mutex mutex_;
  std::multiset<std::string> pending_;
};

}  // namespace aquifer::admin
