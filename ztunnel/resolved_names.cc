#include "ztunnel/resolved_names.h"

#include <algorithm>

namespace aquifer::ztunnel {
namespace {

std::string lowered(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string result(host);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace

void ResolvedNames::remember(std::string_view host, const IpAddress& address, Duration ttl,
                             MonoTime now) {
  std::string name = lowered(host);
  // A label with a dot inside (written with a backslash) is nobody's host name, and must not be
  // taken for a name below another.
  if (name.empty() || name.contains('\\')) return;
  const MonoTime until = now + std::clamp(ttl, Duration::zero(), kTtlMax) + kGrace;

  const auto at = by_address_.find(address);
  if (at != by_address_.end()) {
    entries_.splice(entries_.begin(), entries_, at->second);
  } else {
    if (entries_.size() >= kAddressesMax) forget_oldest();
    entries_.push_front({.address = address, .names = {}});
    by_address_.emplace(address, entries_.begin());
  }

  std::vector<Name>& names = entries_.front().names;
  names_ -= std::erase_if(names, [&](const Name& known) { return known.until <= now; });
  const auto known =
      std::ranges::find_if(names, [&](const Name& other) { return *other.host == name; });
  if (known != names.end()) {
    // A shorter TTL does not take back what an earlier answer promised.
    known->until = std::max(known->until, until);
    std::rotate(known, known + 1, names.end());
    return;
  }
  if (names.size() >= kNamesPerAddressMax) {
    names.erase(names.begin());
    --names_;
  }
  names.push_back({std::make_shared<const std::string>(std::move(name)), until});
  ++names_;
  while (names_ > kNamesMax && entries_.size() > 1) forget_oldest();
}

void ResolvedNames::forget_oldest() {
  names_ -= entries_.back().names.size();
  by_address_.erase(entries_.back().address);
  entries_.pop_back();
}

std::vector<model::HostName> ResolvedNames::names_of(const IpAddress& address, MonoTime now) const {
  std::vector<model::HostName> result;
  const auto at = by_address_.find(address);
  if (at == by_address_.end()) return result;
  const std::vector<Name>& names = at->second->names;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (name->until > now) result.push_back(name->host);
  }
  return result;
}

}  // namespace aquifer::ztunnel
