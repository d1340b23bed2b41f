// What is wrong with a manifest, as a value: where, which object, which field, and what to write
// instead.
#pragma once

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

/// Collects diagnostics, up to a limit after which they are only counted.
class Report {
 public:
  void add(Diagnostic diagnostic);
  [[nodiscard]] bool has_errors() const noexcept { return errors_ > 0; }
  /// Errors before warnings, each in the order of files and lines; a last one counts those left
  /// out.
  [[nodiscard]] std::vector<Diagnostic> take();
  /// Everything that `other` has, in its order.
  void append(const Report& other);

 private:
  std::vector<Diagnostic> diagnostics_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace aquifer::manifests
