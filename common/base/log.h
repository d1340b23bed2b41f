// The log of the process: what is called from everywhere. A call costs one atomic load when the
// level is off for every target; otherwise the line is handed to the writer's thread and never
// waited for (log_writer.h).
//
//   log::info("proxy::inbound", "listening on {}", address.to_string());
//   log::line(Level::warn, "capture", "pod is not captured", log::Fields().str("pod",
//   name).str("error", why)); log::submit(Level::info, "access", std::move(connection_log));   //
//   formatted on the writer's thread
#pragma once

#include "common/base/log_fields.h"
#include "common/base/log_filter.h"
#include "common/base/log_writer.h"

#include <fmt/format.h>

#include <atomic>
#include <concepts>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace aquifer::log {

struct LogOptions {
  /// RUST_LOG
  Filter filter = {};
  /// LOG_FORMAT
  Format format = Format::text;
  int fd = 1;
  std::size_t queue_lines_max = WriterOptions().queue_lines_max;
};

/// Starts the writer. Once, before other threads log; until then lines are written at once by the
/// caller. A fatal signal flushes what is queued before the process dies of it.
void init(const LogOptions& options);
/// Writes what is queued and ends the writer; later lines are written at once by the caller. For
/// the end of main.
void shutdown();
/// Lines that were lost because the queue was full, since the start.
[[nodiscard]] std::uint64_t dropped_lines() noexcept;

/// The filter in force, and its replacement at run time. Any thread.
[[nodiscard]] Filter filter();
void set_filter(Filter filter);

namespace detail {
extern std::atomic<Level> most;
bool enabled_by_filter(Level level, std::string_view target) noexcept;
void hand_over(std::unique_ptr<Record> record);

template <typename Event>
class EventRecord final : public Record {
 public:
  EventRecord(Level level, std::string_view target, Event event)
      : Record(level, target), event_(std::move(event)) {}

 protected:
  std::string_view message() const override { return event_.message(); }
  void add_fields(Fields& fields) const override { event_.add_fields(fields); }

 private:
  Event event_;
};
}  // namespace detail

/// True exactly when a line of this level and target would be written.
[[nodiscard]] inline bool enabled(Level level, std::string_view target) noexcept {
  if (level > detail::most.load(std::memory_order_relaxed)) return false;
  return detail::enabled_by_filter(level, target);
}

/// A value that says what it is once it has left the loop: its message and fields are asked for on
/// the writer's thread, so it owns (or shares as const) whatever they need.
template <typename T>
concept Event = std::movable<T> && requires(const T& event, Fields& fields) {
  { event.message() } -> std::convertible_to<std::string_view>;
  event.add_fields(fields);
};

/// Hands an event over without formatting it. `target` is a literal.
template <Event T>
void submit(Level level, std::string_view target, T event) {
  if (!enabled(level, target)) return;
  detail::hand_over(std::make_unique<detail::EventRecord<T>>(level, target, std::move(event)));
}

/// One line with fields. `target` is a literal.
void line(Level level, std::string_view target, std::string message, const Fields& fields);

template <typename... Args>
void write(Level level, std::string_view target, fmt::format_string<Args...> format,
           Args&&... args) {
  if (!enabled(level, target)) return;
  line(level, target, fmt::format(format, std::forward<Args>(args)...), Fields());
}
template <typename... Args>
void error(std::string_view target, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, target, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warn(std::string_view target, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warn, target, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(std::string_view target, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, target, format, std::forward<Args>(args)...);
}
template <typename... Args>
void debug(std::string_view target, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, target, format, std::forward<Args>(args)...);
}
template <typename... Args>
void trace(std::string_view target, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::trace, target, format, std::forward<Args>(args)...);
}

}  // namespace aquifer::log
