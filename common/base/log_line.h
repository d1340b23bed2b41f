// Lines of somebody else's form among the lines of the log: the access log as Envoy writes it. They
// share the log's filter, queue and writer, and not its columns.
#pragma once

#include "common/base/log.h"

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace aquifer::log {

/// A value that appends its whole line, without the end of line, on the writer's thread. It must
/// not let what a peer sent break the line.
template <typename T>
concept LineEvent = std::movable<T> && requires(const T& event, std::string& out, Format format) {
  event.append_to(out, format);
};

/// The target of a record whose message is its whole line; nothing else is called so.
inline constexpr std::string_view kNoColumns = {};

namespace detail {
template <typename Event>
class OwnLine final : public Record {
 public:
  OwnLine(Level level, Event event) : Record(level, kNoColumns), event_(std::move(event)) {}

 protected:
  std::string_view message() const override { return line_; }
  void add_fields(Fields&) const override {
    line_.clear();
    event_.append_to(line_, format());
  }

 private:
  Event event_;
  mutable std::string line_;  // made by add_fields(), which the writer calls first
};
}  // namespace detail

/// Hands the event over without formatting it, if a line of this level and target is written at
/// all.
template <LineEvent T>
void submit_line(Level level, std::string_view target, T event) {
  if (!enabled(level, target)) return;
  detail::hand_over(std::make_unique<detail::OwnLine<T>>(level, std::move(event)));
}

}  // namespace aquifer::log
