// What waypoints enforce on requests: AuthorizationPolicies that name a Gateway or a service by
// targetRefs, with their HTTP attributes, and RequestAuthentications. Immutable, hence any thread.
#pragma once

#include "config/model/l7/request_authentication.h"
#include "config/model/l7/request_policy.h"
#include "config/model/l7/rule_filing.h"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::l7 {

/// The policies of one target.
class TargetPolicies {
 public:
  /// Sorted by NAMESPACE/NAME, all of them.
  TargetPolicies(std::vector<RequestPolicyPtr> policies,
                 std::vector<RequestAuthenticationPtr> authentications);

  /// The rules for requests, or for connections that are not HTTP.
  [[nodiscard]] const RuleFiling& rules(RequestAction action, model::Enforcement enforcement,
                                        bool requests) const noexcept {
    return filings_[slot(action, enforcement, requests)];
  }
  /// Are there any policies of it, matching or not?
  [[nodiscard]] bool has(RequestAction action, model::Enforcement enforcement) const noexcept {
    return has_[slot(action, enforcement, true)];
  }
  [[nodiscard]] std::span<const RequestPolicyPtr> policies() const noexcept { return policies_; }
  [[nodiscard]] std::span<const RequestAuthenticationPtr> authentications() const noexcept {
    return authentications_;
  }

 private:
  static constexpr std::size_t kSlots = 16;
  [[nodiscard]] static constexpr std::size_t slot(RequestAction action,
                                                  model::Enforcement enforcement,
                                                  bool requests) noexcept {
    return static_cast<std::size_t>(action) * 4 + static_cast<std::size_t>(enforcement) * 2 +
           (requests ? 1 : 0);
  }

  std::vector<RequestPolicyPtr> policies_;
  std::vector<RequestAuthenticationPtr> authentications_;
  std::array<RuleFiling, kSlots> filings_;
  std::array<bool, kSlots> has_{};
};

/// Targets that one question concerns. They live as long as their book.
class ConcernedTargets {
 public:
  void add(const TargetPolicies* target) noexcept {
    if (target != nullptr) targets_[count_++] = target;
  }
  [[nodiscard]] const TargetPolicies* const* begin() const noexcept { return targets_.data(); }
  [[nodiscard]] const TargetPolicies* const* end() const noexcept {
    return targets_.data() + count_;
  }

 private:
  std::array<const TargetPolicies*, 3> targets_{};
  std::size_t count_ = 0;
};

class SecurityBook {
 public:
  SecurityBook() = default;
  /// In any order; none is null.
  SecurityBook(std::vector<RequestPolicyPtr> policies,
               std::vector<RequestAuthenticationPtr> authentications);

  [[nodiscard]] bool empty() const noexcept {
    return policies_.empty() && authentications_.empty();
  }
  /// Are any policies on trial?
  [[nodiscard]] bool has_dry_run() const noexcept { return dry_run_; }
  /// By NAMESPACE/NAME.
  [[nodiscard]] const std::vector<RequestPolicyPtr>& policies() const noexcept { return policies_; }
  [[nodiscard]] const std::vector<RequestAuthenticationPtr>& authentications() const noexcept {
    return authentications_;
  }

  /// What concerns questions of this gateway about this service: the policies of all waypoints,
  /// of the gateway, of the service.
  [[nodiscard]] ConcernedTargets targets_of(std::string_view gateway,
                                            std::string_view service) const;

  /// By content.
  friend bool operator==(const SecurityBook& a, const SecurityBook& b) noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using Targets =
      std::unordered_map<std::string, std::shared_ptr<const TargetPolicies>, Hash, std::equal_to<>>;

  [[nodiscard]] const TargetPolicies* find(SecurityTarget::Kind kind, std::string_view name) const;

  std::vector<RequestPolicyPtr> policies_;
  std::vector<RequestAuthenticationPtr> authentications_;
  // By the target's kind.
  std::array<Targets, 3> targets_;
  bool dry_run_ = false;
};

using SecurityBookPtr = std::shared_ptr<const SecurityBook>;

}  // namespace aquifer::l7
