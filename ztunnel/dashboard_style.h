// How the page looks, light and dark. Kept apart from what it says.
#pragma once

namespace aquifer::ztunnel {

inline constexpr const char* kDashboardStyle = R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5c6876;--line:#dde2e8;
--accent:#0b6bcb;--bad:#b3261e;--badbg:#fdecea;--warn:#8a5a00;--warnbg:#fff4dd;--good:#146c43;--goodbg:#e6f4ec}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b2129;--ink:#e4e9ef;--soft:#98a4b3;--line:#2d3641;
--accent:#6cb4ff;--bad:#ff9d94;--badbg:#3a1d1b;--warn:#f2c56b;--warnbg:#352a12;--good:#7fd6a6;--goodbg:#15301f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:1400px;margin:0 auto;padding:0 24px}
header{padding-top:22px;display:flex;flex-wrap:wrap;align-items:baseline;gap:6px 16px}
h1{font-size:22px;margin:0}h1 b{color:var(--accent)}
header span{color:var(--soft)}
form{margin-left:auto;display:flex;gap:6px}
input{min-width:240px}
input,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:5px 10px}
button{cursor:pointer}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px;margin:18px 0}
.cards a{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px;color:inherit;text-decoration:none}
.cards a:hover{border-color:var(--accent)}
.cards b{display:block;font-size:22px;font-variant-numeric:tabular-nums}.cards span{color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:0 0 18px;padding:14px 16px}
h2{font-size:16px;margin:0 0 8px}h2 small{font-weight:normal;color:var(--soft);margin-left:8px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;color:var(--soft);font-weight:600;white-space:nowrap}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
tbody tr:last-child td{border-bottom:0}
td{overflow-wrap:anywhere;min-width:70px}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
ul.wrong{list-style:none;margin:0;padding:0}
ul.wrong li{border-radius:7px;padding:7px 12px;margin:6px 0;overflow-wrap:anywhere;white-space:pre-wrap}
.bad{background:var(--badbg);color:var(--bad)}.warn{background:var(--warnbg);color:var(--warn)}.good{background:var(--goodbg);color:var(--good)}
p.good{border-radius:7px;padding:9px 12px;margin:0}
.tag{border-radius:5px;padding:1px 7px;white-space:nowrap}
.soft{color:var(--soft)}
nav{margin-top:8px;display:flex;gap:14px;color:var(--soft)}
a{color:var(--accent)}
footer{color:var(--soft);padding:0 24px 30px;max-width:1400px;margin:0 auto}
)css";

}  // namespace aquifer::ztunnel
