#include "ztunnel/html.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::ztunnel {

std::string html_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          out += "\xEF\xBF\xBD";
        } else {
          out.push_back(c);
        }
    }
  }
  return out;
}

std::string url_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

HtmlTable::HtmlTable(std::initializer_list<std::string_view> headings) {
  out_ = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string_view heading : headings)
    out_ += fmt::format("<th>{}</th>", html_escaped(heading));
  out_ += "</tr></thead><tbody>\n";
}

void HtmlTable::begin_row() {
  if (!std::exchange(in_row_, true)) out_ += "<tr>";
}

HtmlTable& HtmlTable::cell(std::string_view text) {
  return raw_cell(html_escaped(text));
}

HtmlTable& HtmlTable::raw_cell(std::string_view html) {
  begin_row();
  out_ += fmt::format("<td>{}</td>", html);
  return *this;
}

HtmlTable& HtmlTable::number(std::string_view text) {
  begin_row();
  out_ += fmt::format("<td class=\"n\">{}</td>", html_escaped(text));
  return *this;
}

void HtmlTable::end_row() {
  out_ += "</tr>\n";
  in_row_ = false;
}

std::string HtmlTable::take() {
  return std::exchange(out_, {}) + "</tbody></table></div>\n";
}

}  // namespace aquifer::ztunnel
