#include "common/base/claims.h"

namespace aquifer {

const Claim* Claim::member(std::string_view wanted) const noexcept {
  if (kind != Kind::object) return nullptr;
  for (const Claim& part : parts) {
    if (part.name == wanted) return &part;
  }
  return nullptr;
}

const Claim* Claim::find(std::span<const std::string> path) const noexcept {
  const Claim* at = this;
  for (const std::string& step : path) {
    at = at->member(step);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string_view Claim::text_of(std::string_view wanted) const noexcept {
  const Claim* found = member(wanted);
  return found != nullptr && found->kind == Kind::text ? std::string_view(found->text)
                                                       : std::string_view();
}

}  // namespace aquifer
