// Iptables: the node's own iptables programs, reading and writing the rules of one namespace. Which
// of them a node has (nf_tables or legacy, plain names or with a suffix) is found out once.
// Blocking: control thread only.
#pragma once

#include "common/io/netns.h"
#include "ztunnel/capture/capture_error.h"
#include "ztunnel/capture/rules.h"
#include "ztunnel/capture/saved_rules.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel {

/// The two kernel interfaces that programs called iptables talk to. Rules of one are invisible to
/// the other, and both are in force.
enum class IptablesVariant : std::uint8_t { nft, legacy };

/// The programs of one variant.
class Iptables {
 public:
  /// Those found on `search_path` (folders separated by colons). In order of preference: what the
  /// plain names lead to - the node's own choice - first.
  [[nodiscard]] static std::vector<Iptables> find(std::string_view search_path,
                                                  const io::NetworkNamespace& any);

  [[nodiscard]] IptablesVariant variant() const noexcept { return variant_; }
  [[nodiscard]] bool has(Family family) const noexcept {
    return family == Family::ipv4 || has_ipv6_;
  }
  /// For people: "/usr/sbin/iptables-restore (nft)".
  [[nodiscard]] std::string description() const;

  [[nodiscard]] CaptureResult<SavedRules> save(const io::NetworkNamespace& where,
                                               Family family) const;
  /// Applies what script_to_reach() made; an empty script is nothing to do.
  [[nodiscard]] CaptureStatus restore(const io::NetworkNamespace& where, Family family,
                                      const std::string& script) const;

 private:
  Iptables(IptablesVariant variant, std::string folder, std::string_view suffix);
  [[nodiscard]] std::string program(Family family, std::string_view verb) const;

  IptablesVariant variant_;
  std::string folder_;
  std::string suffix_;
  bool has_ipv6_;
  std::vector<std::string> environment_;
};

/// The legacy tables that exist in the namespace. Looking at this list creates none, unlike asking
/// for a table by its name. Empty where nothing legacy is, or where the namespace cannot be
/// entered.
[[nodiscard]] std::vector<std::string> legacy_table_names(const io::NetworkNamespace& where,
                                                          Family family);

/// PATH and then the places where iptables stands, for processes started with a bare PATH.
[[nodiscard]] std::string default_search_path();

[[nodiscard]] std::string_view name_of(IptablesVariant variant) noexcept;

}  // namespace aquifer::ztunnel
