#include "config/manifests/diagnostic.h"

#include "config/manifests/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace aquifer::manifests {
namespace {

// Names and values come from files: they must not be able to end the line or steer a terminal.
std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string render(const Diagnostic& diagnostic) {
  std::string line = diagnostic.file;
  if (diagnostic.line > 0) line += fmt::format(":{}", diagnostic.line);
  if (!line.empty()) line += ": ";
  if (diagnostic.severity == Severity::warning) line += "warning: ";
  if (!diagnostic.object.empty()) line += diagnostic.object + ": ";
  if (!diagnostic.field.empty()) line += diagnostic.field + ": ";
  return printable(line + diagnostic.text);
}

std::string render(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += render(diagnostic) + "\n";
  return text;
}

std::vector<Diagnostic> with_left_out(Reported reported) {
  const std::size_t left_out = reported.left_out();
  if (left_out > 0) {
    reported.diagnostics.push_back(
        {.severity = reported.errors > 0 ? Severity::error : Severity::warning,
         .file = "",
         .line = 0,
         .object = "",
         .field = "",
         .text = fmt::format("and {} more", left_out)});
  }
  return std::move(reported.diagnostics);
}

void Report::add(Diagnostic diagnostic) {
  ++(diagnostic.severity == Severity::error ? errors_ : warnings_);
  if (diagnostics_.size() < kDiagnosticsMax) {
    diagnostics_.push_back(std::move(diagnostic));
    return;
  }
  // An error must be seen even when a thousand warnings came before it. Once only errors are kept,
  // a further one has nothing to push out, and need not look.
  if (diagnostic.severity != Severity::error || errors_ > kDiagnosticsMax) return;
  const auto warning = std::ranges::find(diagnostics_, Severity::warning, &Diagnostic::severity);
  if (warning != diagnostics_.end()) *warning = std::move(diagnostic);
}

void Report::append(const std::vector<Diagnostic>& diagnostics, std::size_t errors,
                    std::size_t warnings) {
  const std::size_t errors_after = errors_ + errors;
  const std::size_t warnings_after = warnings_ + warnings;
  for (const Diagnostic& diagnostic : diagnostics) add(diagnostic);
  errors_ = errors_after;
  warnings_ = warnings_after;
}

void Report::append(const Report& other) {
  append(other.diagnostics_, other.errors_, other.warnings_);
}

void Report::append(const Reported& other) {
  append(other.diagnostics, other.errors, other.warnings);
}

Reported Report::take() {
  std::ranges::sort(diagnostics_, {}, [](const Diagnostic& one) {
    return std::tuple(one.severity == Severity::warning, std::string_view(one.file), one.line,
                      std::string_view(one.field), std::string_view(one.text));
  });
  return {.diagnostics = std::exchange(diagnostics_, {}),
          .errors = std::exchange(errors_, 0),
          .warnings = std::exchange(warnings_, 0)};
}

}  // namespace aquifer::manifests
