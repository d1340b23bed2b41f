// What is wrong with a manifest, as a value: where, which object, which field, and what to write
// instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

enum class Severity : std::uint8_t {
  warning,  ///< the mesh is loaded, but not everything in it counts
  error,    ///< nothing of the new mesh is used
};

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;
  /// From 1; 0 when it is about the file as a whole.
  std::uint32_t line = 0;
  /// "Pod default/client"; empty when it is about no object.
  std::string object;
  /// "spec.ports[0].port"; empty when it is about the whole object.
  std::string field;
  std::string text;

  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

/// One line without its end: `FILE:LINE: KIND NAMESPACE/NAME: FIELD: what, and what to write
/// instead`, leaving out what is empty; warnings say so after the place. Control characters of the
/// input are escaped.
[[nodiscard]] std::string render(const Diagnostic& diagnostic);
/// One line each, every one with its end.
[[nodiscard]] std::string render(const std::vector<Diagnostic>& diagnostics);

/// What a report has collected.
struct Reported {
  /// Errors before warnings, each in the order of files and lines; kDiagnosticsMax at most.
  std::vector<Diagnostic> diagnostics;
  /// Of all, those left out among them.
  std::size_t errors = 0;
  std::size_t warnings = 0;

  [[nodiscard]] std::size_t left_out() const noexcept {
    return errors + warnings - diagnostics.size();
  }
};

/// For a log, which has no place for counts: a last one says how many are left out.
[[nodiscard]] std::vector<Diagnostic> with_left_out(Reported reported);

/// Collects diagnostics, up to a limit after which they are only counted.
class Report {
 public:
  void add(Diagnostic diagnostic);
  [[nodiscard]] bool has_errors() const noexcept { return errors_ > 0; }
  [[nodiscard]] Reported take();
  /// Everything that `other` has, in its order; what it left out is counted here, too.
  void append(const Report& other);
  void append(const Reported& other);

 private:
  void append(const std::vector<Diagnostic>& diagnostics, std::size_t errors, std::size_t warnings);

  std::vector<Diagnostic> diagnostics_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

}  // namespace aquifer::manifests
