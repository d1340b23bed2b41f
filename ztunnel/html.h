// Text for a browser: what comes from the mesh or from peers is escaped, always. Plain functions.
#pragma once

#include <string>
#include <string_view>

namespace aquifer::ztunnel {

/// For element content and quoted attribute values alike; control characters become U+FFFD.
[[nodiscard]] std::string html_escaped(std::string_view text);
/// For a value in a query string.
[[nodiscard]] std::string url_escaped(std::string_view text);

/// A table row by row. Cells are text and are escaped here, unless they are said to be HTML.
class HtmlTable {
 public:
  explicit HtmlTable(std::initializer_list<std::string_view> headings);
  HtmlTable& cell(std::string_view text);
  /// `html` is ours.
  HtmlTable& raw_cell(std::string_view html);
  /// A right-aligned number with its unit.
  HtmlTable& number(std::string_view text);
  void end_row();
  [[nodiscard]] std::string take();

 private:
  std::string out_;
  bool in_row_ = false;
  void begin_row();
};

}  // namespace aquifer::ztunnel
