// Rules prepared for quick decisions: each is filed under the rarest values that a request must
// have for it to match, so that a request looks only at the rules filed under its own values and at
// those that could not be filed. Immutable, hence any thread.
#pragma once

#include "config/model/l7/request_policy.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace aquifer::l7 {

class RuleFiling {
 public:
  RuleFiling() = default;

  struct Hit {
    const RequestPolicy* policy = nullptr;
    const RequestRule* rule = nullptr;
  };
  /// In the order in which the first counts. What is added outlives the filing.
  void add(const RequestPolicy& policy, const RequestRule& rule);

  /// The first that matches.
  [[nodiscard]] std::optional<Hit> find(const SecurityQuestion& question) const;

  [[nodiscard]] std::size_t size() const noexcept { return rules_.size(); }
  /// Rules that every request has to look at; for tests.
  [[nodiscard]] std::size_t unfiled() const noexcept { return unfiled_.size(); }

 private:
  using Numbers = std::vector<std::uint32_t>;

  [[nodiscard]] bool can_file_prefix(std::size_t length) const noexcept;
  // The first of `numbers` that matches and stands before `best`.
  void look(const Numbers& numbers, const SecurityQuestion& question, std::size_t& best) const;

  std::vector<Hit> rules_;
  std::unordered_map<std::uint64_t, Numbers> filed_;
  Numbers unfiled_;
  // Lengths of path prefixes that rules are filed under; each is a look-up.
  std::vector<std::size_t> prefix_lengths_;
  // Kinds of values that rules are filed under, as bits.
  std::uint32_t kinds_ = 0;
};

}  // namespace aquifer::l7
