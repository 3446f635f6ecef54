/* Character references. */
#include <endian.h>
#include <string.h>

#include "signatures/content/html/html_machine.h"

static const struct {
    char name[8];
    uint16_t code;
} entities[] = {
    {"AElig", 0x00c6},   {"Aacgr", 0x0386},   {"Aacute", 0x00c1},  {"Acirc", 0x00c2},
    {"Acy", 0x0410},     {"Agr", 0x0391},     {"Agrave", 0x00c0},  {"Alpha", 0x0391},
    {"Aring", 0x00c5},   {"Atilde", 0x00c3},  {"Auml", 0x00c4},    {"Barwed", 0x2306},
    {"Bcy", 0x0411},     {"Beta", 0x0392},    {"Bgr", 0x0392},     {"CHcy", 0x0427},
    {"Cap", 0x22d2},     {"Ccedil", 0x00c7},  {"Chi", 0x03a7},     {"Cup", 0x22d3},
    {"DJcy", 0x0402},    {"DScy", 0x0405},    {"DZcy", 0x040f},    {"Dagger", 0x2021},
    {"Dcy", 0x0414},     {"Delta", 0x0394},   {"Dgr", 0x0394},     {"Dot", 0x00a8},
    {"DotDot", 0x20dc},  {"EEacgr", 0x0389},  {"EEgr", 0x0397},    {"ETH", 0x00d0},
    {"Eacgr", 0x0388},   {"Eacute", 0x00c9},  {"Ecirc", 0x00ca},   {"Ecy", 0x042d},
    {"Egr", 0x0395},     {"Egrave", 0x00c8},  {"Epsilon", 0x0395}, {"Eta", 0x0397},
    {"Euml", 0x00cb},    {"Fcy", 0x0424},     {"GJcy", 0x0403},    {"Gamma", 0x0393},
    {"Gcy", 0x0413},     {"Gg", 0x22d9},      {"Ggr", 0x0393},     {"Gt", 0x226b},
    {"HARDcy", 0x042a},  {"IEcy", 0x0415},    {"IOcy", 0x0401},    {"Iacgr", 0x038a},
    {"Iacute", 0x00cd},  {"Icirc", 0x00ce},   {"Icy", 0x0418},     {"Idigr", 0x03aa},
    {"Igr", 0x0399},     {"Igrave", 0x00cc},  {"Iota", 0x0399},    {"Iukcy", 0x0406},
    {"Iuml", 0x00cf},    {"Jcy", 0x0419},     {"Jsercy", 0x0408},  {"Jukcy", 0x0404},
    {"KHcy", 0x0425},    {"KHgr", 0x03a7},    {"KJcy", 0x040c},    {"Kappa", 0x039a},
    {"Kcy", 0x041a},     {"Kgr", 0x039a},     {"LJcy", 0x0409},    {"Lambda", 0x039b},
    {"Lcy", 0x041b},     {"Lgr", 0x039b},     {"Ll", 0x22d8},      {"Lt", 0x226a},
    {"Mcy", 0x041c},     {"Mgr", 0x039c},     {"Mu", 0x039c},      {"NJcy", 0x040a},
    {"Ncy", 0x041d},     {"Ngr", 0x039d},     {"Ntilde", 0x00d1},  {"Nu", 0x039d},
    {"OElig", 0x0152},   {"OHacgr", 0x038f},  {"OHgr", 0x03a9},    {"Oacgr", 0x038c},
    {"Oacute", 0x00d3},  {"Ocirc", 0x00d4},   {"Ocy", 0x041e},     {"Ogr", 0x039f},
    {"Ograve", 0x00d2},  {"Omega", 0x03a9},   {"Omicron", 0x039f}, {"Oslash", 0x00d8},
    {"Otilde", 0x00d5},  {"Ouml", 0x00d6},    {"PHgr", 0x03a6},    {"PSgr", 0x03a8},
    {"Pcy", 0x041f},     {"Pgr", 0x03a0},     {"Phi", 0x03a6},     {"Pi", 0x03a0},
    {"Prime", 0x2033},   {"Psi", 0x03a8},     {"Rcy", 0x0420},     {"Rgr", 0x03a1},
    {"Rho", 0x03a1},     {"SHCHcy", 0x0429},  {"SHcy", 0x0428},    {"SOFTcy", 0x042c},
    {"Scaron", 0x0160},  {"Scy", 0x0421},     {"Sgr", 0x03a3},     {"Sigma", 0x03a3},
    {"Sub", 0x22d0},     {"Sup", 0x22d1},     {"THORN", 0x00de},   {"THgr", 0x0398},
    {"TSHcy", 0x040b},   {"TScy", 0x0426},    {"Tau", 0x03a4},     {"Tcy", 0x0422},
    {"Tgr", 0x03a4},     {"Theta", 0x0398},   {"Uacgr", 0x038e},   {"Uacute", 0x00da},
    {"Ubrcy", 0x040e},   {"Ucirc", 0x00db},   {"Ucy", 0x0423},     {"Udigr", 0x03ab},
    {"Ugr", 0x03a5},     {"Ugrave", 0x00d9},  {"Upsi", 0x03d2},    {"Upsilon", 0x03a5},
    {"Uuml", 0x00dc},    {"Vcy", 0x0412},     {"Vdash", 0x22a9},   {"Verbar", 0x2016},
    {"Vvdash", 0x22aa},  {"Xgr", 0x039e},     {"Xi", 0x039e},      {"YAcy", 0x042f},
    {"YIcy", 0x0407},    {"YUcy", 0x042e},    {"Yacute", 0x00dd},  {"Ycy", 0x042b},
    {"Yuml", 0x0178},    {"ZHcy", 0x0416},    {"Zcy", 0x0417},     {"Zeta", 0x0396},
    {"Zgr", 0x0396},     {"aacgr", 0x03ac},   {"aacute", 0x00e1},  {"acirc", 0x00e2},
    {"acute", 0x00b4},   {"acy", 0x0430},     {"aelig", 0x00e6},   {"agr", 0x03b1},
    {"agrave", 0x00e0},  {"alefsym", 0x2135}, {"aleph", 0x2135},   {"alpha", 0x03b1},
    {"amalg", 0x2a3f},   {"amp", 0x0026},     {"and", 0x2227},     {"ang", 0x2220},
    {"ang90", 0x221f},   {"angmsd", 0x2221},  {"angsph", 0x2222},  {"angst", 0x212b},
    {"ap", 0x2248},      {"ape", 0x224a},     {"apos", 0x0027},    {"aring", 0x00e5},
    {"ast", 0x002a},     {"asymp", 0x2248},   {"atilde", 0x00e3},  {"auml", 0x00e4},
    {"barwed", 0x2305},  {"bcong", 0x224c},   {"bcy", 0x0431},     {"bdquo", 0x201e},
    {"becaus", 0x2235},  {"bepsi", 0x03f6},   {"bernou", 0x212c},  {"beta", 0x03b2},
    {"beth", 0x2136},    {"bgr", 0x03b2},     {"blank", 0x2423},   {"blk12", 0x2592},
    {"blk14", 0x2591},   {"blk34", 0x2593},   {"block", 0x2588},   {"bottom", 0x22a5},
    {"bowtie", 0x22c8},  {"boxDL", 0x2557},   {"boxDR", 0x2554},   {"boxDl", 0x2556},
    {"boxDr", 0x2553},   {"boxH", 0x2550},    {"boxHD", 0x2566},   {"boxHU", 0x2569},
    {"boxHd", 0x2564},   {"boxHu", 0x2567},   {"boxUL", 0x255d},   {"boxUR", 0x255a},
    {"boxUl", 0x255c},   {"boxUr", 0x2559},   {"boxV", 0x2551},    {"boxVH", 0x256c},
    {"boxVL", 0x2563},   {"boxVR", 0x2560},   {"boxVh", 0x256b},   {"boxVl", 0x2562},
    {"boxVr", 0x255f},   {"boxdL", 0x2555},   {"boxdR", 0x2552},   {"boxdl", 0x2510},
    {"boxdr", 0x250c},   {"boxh", 0x2500},    {"boxhD", 0x2565},   {"boxhU", 0x2568},
    {"boxhd", 0x252c},   {"boxhu", 0x2534},   {"boxuL", 0x255b},   {"boxuR", 0x2558},
    {"boxul", 0x2518},   {"boxur", 0x2514},   {"boxv", 0x2502},    {"boxvH", 0x256a},
    {"boxvL", 0x2561},   {"boxvR", 0x255e},   {"boxvh", 0x253c},   {"boxvl", 0x2524},
    {"boxvr", 0x251c},   {"bprime", 0x2035},  {"breve", 0x02d8},   {"brvbar", 0x00a6},
    {"bsim", 0x223d},    {"bsime", 0x22cd},   {"bsol", 0x005c},    {"bull", 0x2022},
    {"bump", 0x224e},    {"bumpe", 0x224f},   {"cap", 0x2229},     {"caret", 0x2041},
    {"caron", 0x02c7},   {"ccedil", 0x00e7},  {"cedil", 0x00b8},   {"cent", 0x00a2},
    {"chcy", 0x0447},    {"check", 0x2713},   {"chi", 0x03c7},     {"cir", 0x25cb},
    {"circ", 0x02c6},    {"cire", 0x2257},    {"clubs", 0x2663},   {"colon", 0x003a},
    {"colone", 0x2254},  {"comma", 0x002c},   {"commat", 0x0040},  {"comp", 0x2201},
    {"compfn", 0x2218},  {"cong", 0x2245},    {"conint", 0x222e},  {"coprod", 0x2210},
    {"copy", 0x00a9},    {"copysr", 0x2117},  {"crarr", 0x21b5},   {"cross", 0x2717},
    {"cuepr", 0x22de},   {"cuesc", 0x22df},   {"cup", 0x222a},     {"cupre", 0x227c},
    {"curren", 0x00a4},  {"cuvee", 0x22ce},   {"cuwed", 0x22cf},   {"dArr", 0x21d3},
    {"dagger", 0x2020},  {"daleth", 0x2138},  {"darr", 0x2193},    {"dash", 0x2010},
    {"dashv", 0x22a3},   {"dblac", 0x02dd},   {"dcy", 0x0434},     {"deg", 0x00b0},
    {"delta", 0x03b4},   {"dgr", 0x03b4},     {"diam", 0x22c4},    {"diams", 0x2666},
    {"die", 0x00a8},     {"divide", 0x00f7},  {"divonx", 0x22c7},  {"djcy", 0x0452},
    {"dlcorn", 0x231e},  {"dlcrop", 0x230d},  {"dollar", 0x0024},  {"dot", 0x02d9},
    {"drcorn", 0x231f},  {"drcrop", 0x230c},  {"dscy", 0x0455},    {"dtri", 0x25bf},
    {"dtrif", 0x25be},   {"dzcy", 0x045f},    {"eDot", 0x2251},    {"eacgr", 0x03ad},
    {"eacute", 0x00e9},  {"ecir", 0x2256},    {"ecirc", 0x00ea},   {"ecolon", 0x2255},
    {"ecy", 0x044d},     {"eeacgr", 0x03ae},  {"eegr", 0x03b7},    {"efDot", 0x2252},
    {"egr", 0x03b5},     {"egrave", 0x00e8},  {"egs", 0x2a96},     {"ell", 0x2113},
    {"els", 0x2a95},     {"empty", 0x2205},   {"emsp", 0x2003},    {"emsp13", 0x2004},
    {"emsp14", 0x2005},  {"ensp", 0x2002},    {"epsi", 0x03f5},    {"epsilon", 0x03b5},
    {"epsis", 0x03f5},   {"epsiv", 0x03b5},   {"equals", 0x003d},  {"equiv", 0x2261},
    {"erDot", 0x2253},   {"esdot", 0x2250},   {"eta", 0x03b7},     {"eth", 0x00f0},
    {"euml", 0x00eb},    {"euro", 0x20ac},    {"excl", 0x0021},    {"exist", 0x2203},
    {"fcy", 0x0444},     {"female", 0x2640},  {"ffilig", 0xfb03},  {"fflig", 0xfb00},
    {"ffllig", 0xfb04},  {"filig", 0xfb01},   {"flat", 0x266d},    {"fllig", 0xfb02},
    {"fnof", 0x0192},    {"forall", 0x2200},  {"fork", 0x22d4},    {"frac12", 0x00bd},
    {"frac13", 0x2153},  {"frac14", 0x00bc},  {"frac15", 0x2155},  {"frac16", 0x2159},
    {"frac18", 0x215b},  {"frac23", 0x2154},  {"frac25", 0x2156},  {"frac34", 0x00be},
    {"frac35", 0x2157},  {"frac38", 0x215c},  {"frac45", 0x2158},  {"frac56", 0x215a},
    {"frac58", 0x215d},  {"frac78", 0x215e},  {"frasl", 0x2044},   {"frown", 0x2322},
    {"gE", 0x2267},      {"gEl", 0x2a8c},     {"gamma", 0x03b3},   {"gammad", 0x03dd},
    {"gap", 0x2a86},     {"gcy", 0x0433},     {"ge", 0x2265},      {"gel", 0x22db},
    {"ges", 0x2a7e},     {"ggr", 0x03b3},     {"gimel", 0x2137},   {"gjcy", 0x0453},
    {"gl", 0x2277},      {"grave", 0x0060},   {"gsdot", 0x22d7},   {"gsim", 0x2273},
    {"gt", 0x003e},      {"hArr", 0x21d4},    {"hairsp", 0x200a},  {"half", 0x00bd},
    {"hamilt", 0x210b},  {"hardcy", 0x044a},  {"harr", 0x2194},    {"hearts", 0x2665},
    {"hellip", 0x2026},  {"horbar", 0x2015},  {"hybull", 0x2043},  {"hyphen", 0x2010},
    {"iacgr", 0x03af},   {"iacute", 0x00ed},  {"icirc", 0x00ee},   {"icy", 0x0438},
    {"idiagr", 0x0390},  {"idigr", 0x03ca},   {"iecy", 0x0435},    {"iexcl", 0x00a1},
    {"iff", 0x21d4},     {"igr", 0x03b9},     {"igrave", 0x00ec},  {"image", 0x2111},
    {"incare", 0x2105},  {"infin", 0x221e},   {"inodot", 0x0131},  {"int", 0x222b},
    {"intcal", 0x22ba},  {"iocy", 0x0451},    {"iota", 0x03b9},    {"iquest", 0x00bf},
    {"isin", 0x2208},    {"iukcy", 0x0456},   {"iuml", 0x00ef},    {"jcy", 0x0439},
    {"jnodot", 0x006a},  {"jsercy", 0x0458},  {"jukcy", 0x0454},   {"kappa", 0x03ba},
    {"kappav", 0x03f0},  {"kcy", 0x043a},     {"kgr", 0x03ba},     {"khcy", 0x0445},
    {"khgr", 0x03c7},    {"kjcy", 0x045c},    {"lArr", 0x21d0},    {"lE", 0x2266},
    {"lEg", 0x2a8b},     {"lagran", 0x2112},  {"lambda", 0x03bb},  {"lang", 0x2329},
    {"lap", 0x2a85},     {"laquo", 0x00ab},   {"larr", 0x2190},    {"lceil", 0x2308},
    {"lcub", 0x007b},    {"lcy", 0x043b},     {"ldot", 0x22d6},    {"ldquo", 0x201c},
    {"ldquor", 0x201e},  {"le", 0x2264},      {"leg", 0x22da},     {"les", 0x2a7d},
    {"lfloor", 0x230a},  {"lg", 0x2276},      {"lgr", 0x03bb},     {"lhblk", 0x2584},
    {"ljcy", 0x0459},    {"lowast", 0x2217},  {"lowbar", 0x005f},  {"loz", 0x25ca},
    {"lozf", 0x29eb},    {"lpar", 0x0028},    {"lpargt", 0x29a0},  {"lrm", 0x200e},
    {"lsaquo", 0x2039},  {"lsim", 0x2272},    {"lsqb", 0x005b},    {"lsquo", 0x2018},
    {"lsquor", 0x201a},  {"lt", 0x003c},      {"lthree", 0x22cb},  {"ltimes", 0x22c9},
    {"ltri", 0x25c3},    {"ltrie", 0x22b4},   {"ltrif", 0x25c2},   {"macr", 0x00af},
    {"male", 0x2642},    {"malt", 0x2720},    {"marker", 0x25ae},  {"mcy", 0x043c},
    {"mdash", 0x2014},   {"mgr", 0x03bc},     {"micro", 0x00b5},   {"mid", 0x2223},
    {"middot", 0x00b7},  {"minus", 0x2212},   {"minusb", 0x229f},  {"mldr", 0x2026},
    {"mnplus", 0x2213},  {"models", 0x22a7},  {"mu", 0x03bc},      {"nabla", 0x2207},
    {"natur", 0x266e},   {"nbsp", 0x00a0},    {"ncy", 0x043d},     {"ndash", 0x2013},
    {"ne", 0x2260},      {"nexist", 0x2204},  {"ngr", 0x03bd},     {"ni", 0x220b},
    {"njcy", 0x045a},    {"nldr", 0x2025},    {"not", 0x00ac},     {"notin", 0x2209},
    {"nsub", 0x2284},    {"ntilde", 0x00f1},  {"nu", 0x03bd},      {"num", 0x0023},
    {"numero", 0x2116},  {"numsp", 0x2007},   {"oS", 0x24c8},      {"oacgr", 0x03cc},
    {"oacute", 0x00f3},  {"oast", 0x229b},    {"ocir", 0x229a},    {"ocirc", 0x00f4},
    {"ocy", 0x043e},     {"odash", 0x229d},   {"odot", 0x2299},    {"oelig", 0x0153},
    {"ogon", 0x02db},    {"ogr", 0x03bf},     {"ograve", 0x00f2},  {"ohacgr", 0x03ce},
    {"ohgr", 0x03c9},    {"ohm", 0x2126},     {"oline", 0x203e},   {"omega", 0x03c9},
    {"omicron", 0x03bf}, {"ominus", 0x2296},  {"oplus", 0x2295},   {"or", 0x2228},
    {"order", 0x2134},   {"ordf", 0x00aa},    {"ordm", 0x00ba},    {"oslash", 0x00f8},
    {"osol", 0x2298},    {"otilde", 0x00f5},  {"otimes", 0x2297},  {"ouml", 0x00f6},
    {"par", 0x2225},     {"para", 0x00b6},    {"part", 0x2202},    {"pcy", 0x043f},
    {"percnt", 0x0025},  {"period", 0x002e},  {"permil", 0x2030},  {"perp", 0x22a5},
    {"pgr", 0x03c0},     {"phgr", 0x03c6},    {"phi", 0x03c6},     {"phis", 0x03d5},
    {"phiv", 0x03c6},    {"phmmat", 0x2133},  {"phone", 0x260e},   {"pi", 0x03c0},
    {"piv", 0x03d6},     {"planck", 0x210f},  {"plus", 0x002b},    {"plusb", 0x229e},
    {"plusdo", 0x2214},  {"plusmn", 0x00b1},  {"pound", 0x00a3},   {"pr", 0x227a},
    {"prap", 0x2ab7},    {"pre", 0x2aaf},     {"prime", 0x2032},   {"prod", 0x220f},
    {"prop", 0x221d},    {"prsim", 0x227e},   {"psgr", 0x03c8},    {"psi", 0x03c8},
    {"puncsp", 0x2008},  {"quest", 0x003f},   {"quot", 0x0022},    {"rArr", 0x21d2},
    {"radic", 0x221a},   {"rang", 0x232a},    {"raquo", 0x00bb},   {"rarr", 0x2192},
    {"rceil", 0x2309},   {"rcub", 0x007d},    {"rcy", 0x0440},     {"rdquo", 0x201d},
    {"rdquor", 0x201d},  {"real", 0x211c},    {"rect", 0x25ad},    {"reg", 0x00ae},
    {"rfloor", 0x230b},  {"rgr", 0x03c1},     {"rho", 0x03c1},     {"rhov", 0x03f1},
    {"ring", 0x02da},    {"rlm", 0x200f},     {"rpar", 0x0029},    {"rpargt", 0x2994},
    {"rsaquo", 0x203a},  {"rsqb", 0x005d},    {"rsquo", 0x2019},   {"rsquor", 0x2019},
    {"rthree", 0x22cc},  {"rtimes", 0x22ca},  {"rtri", 0x25b9},    {"rtrie", 0x22b5},
    {"rtrif", 0x25b8},   {"rx", 0x211e},      {"samalg", 0x2210},  {"sbquo", 0x201a},
    {"sbsol", 0xfe68},   {"sc", 0x227b},      {"scap", 0x2ab8},    {"scaron", 0x0161},
    {"sccue", 0x227d},   {"sce", 0x2ab0},     {"scsim", 0x227f},   {"scy", 0x0441},
    {"sdot", 0x22c5},    {"sdotb", 0x22a1},   {"sect", 0x00a7},    {"semi", 0x003b},
    {"setmn", 0x2216},   {"sext", 0x2736},    {"sfgr", 0x03c2},    {"sfrown", 0x2322},
    {"sgr", 0x03c3},     {"sharp", 0x266f},   {"shchcy", 0x0449},  {"shcy", 0x0448},
    {"shy", 0x00ad},     {"sigma", 0x03c3},   {"sigmaf", 0x03c2},  {"sigmav", 0x03c2},
    {"sim", 0x223c},     {"sime", 0x2243},    {"smid", 0x2223},    {"smile", 0x2323},
    {"softcy", 0x044c},  {"sol", 0x002f},     {"spades", 0x2660},  {"spar", 0x2225},
    {"sqcap", 0x2293},   {"sqcup", 0x2294},   {"sqsub", 0x228f},   {"sqsube", 0x2291},
    {"sqsup", 0x2290},   {"sqsupe", 0x2292},  {"squ", 0x25a1},     {"square", 0x25a1},
    {"squf", 0x25aa},    {"ssetmn", 0x2216},  {"ssmile", 0x2323},  {"sstarf", 0x22c6},
    {"star", 0x2606},    {"starf", 0x2605},   {"sub", 0x2282},     {"subE", 0x2ac5},
    {"sube", 0x2286},    {"sum", 0x2211},     {"sung", 0x266a},    {"sup", 0x2283},
    {"sup1", 0x00b9},    {"sup2", 0x00b2},    {"sup3", 0x00b3},    {"supE", 0x2ac6},
    {"supe", 0x2287},    {"szlig", 0x00df},   {"target", 0x2316},  {"tau", 0x03c4},
    {"tcy", 0x0442},     {"tdot", 0x20db},    {"telrec", 0x2315},  {"tgr", 0x03c4},
    {"there4", 0x2234},  {"theta", 0x03b8},   {"thetas", 0x03b8},  {"thetasym", 0x03d1},
    {"thetav", 0x03d1},  {"thgr", 0x03b8},    {"thinsp", 0x2009},  {"thkap", 0x2248},
    {"thksim", 0x223c},  {"thorn", 0x00fe},   {"tilde", 0x02dc},   {"times", 0x00d7},
    {"timesb", 0x22a0},  {"top", 0x22a4},     {"tprime", 0x2034},  {"trade", 0x2122},
    {"trie", 0x225c},    {"tscy", 0x0446},    {"tshcy", 0x045b},   {"twixt", 0x226c},
    {"uArr", 0x21d1},    {"uacgr", 0x03cd},   {"uacute", 0x00fa},  {"uarr", 0x2191},
    {"ubrcy", 0x045e},   {"ucirc", 0x00fb},   {"ucy", 0x0443},     {"udiagr", 0x03b0},
    {"udigr", 0x03cb},   {"ugr", 0x03c5},     {"ugrave", 0x00f9},  {"uhblk", 0x2580},
    {"ulcorn", 0x231c},  {"ulcrop", 0x230f},  {"uml", 0x00a8},     {"uplus", 0x228e},
    {"upsi", 0x03c5},    {"upsih", 0x03d2},   {"upsilon", 0x03c5}, {"urcorn", 0x231d},
    {"urcrop", 0x230e},  {"utri", 0x25b5},    {"utrif", 0x25b4},   {"uuml", 0x00fc},
    {"vDash", 0x22a8},   {"vcy", 0x0432},     {"vdash", 0x22a2},   {"veebar", 0x22bb},
    {"vellip", 0x22ee},  {"verbar", 0x007c},  {"vltri", 0x22b2},   {"vprime", 0x2032},
    {"vprop", 0x221d},   {"vrtri", 0x22b3},   {"wedgeq", 0x2259},  {"weierp", 0x2118},
    {"wreath", 0x2240},  {"xcirc", 0x25ef},   {"xdtri", 0x25bd},   {"xgr", 0x03be},
    {"xi", 0x03be},      {"xutri", 0x25b3},   {"yacute", 0x00fd},  {"yacy", 0x044f},
    {"ycy", 0x044b},     {"yen", 0x00a5},     {"yicy", 0x0457},    {"yucy", 0x044e},
    {"yuml", 0x00ff},    {"zcy", 0x0437},     {"zeta", 0x03b6},    {"zgr", 0x03b6},
    {"zhcy", 0x0436},    {"zwj", 0x200d},     {"zwnj", 0x200c},
};

/* A name of eight bytes, zeroes behind it, as a number that sorts like it. */
static inline uint64_t html_entity_key(const void *name)
{
    uint64_t key;

    memcpy(&key, name, 8);
    return be64toh(key);
}

uint16_t html_entity_code(const uint8_t *name, size_t length)
{
    size_t low = 0;
    size_t high = sizeof(entities) / sizeof(entities[0]);
    uint8_t padded[8] = {0};
    uint64_t key;

    if (length > sizeof(padded))
        return 0;
    if (length == 4 && memcmp(name, "nbsp", 4) == 0)
        return 0xa0; /* half of all there are */
    memcpy(padded, name, length);
    key = html_entity_key(padded);
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint64_t other = html_entity_key(entities[middle].name);

        if (other == key)
            return entities[middle].code;
        if (other < key)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

size_t html_code_point(uint16_t code, uint8_t to[8])
{
    static const char digits[] = "0123456789abcdef";

    if (code == 0)
        return 0;
    if (code < 0xff) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code == 0x3002 || code == 0xff0e || code == 0xfe52) {
        to[0] = '.';
        return 1;
    }
    to[0] = '&';
    to[1] = '#';
    to[2] = 'x';
    for (unsigned i = 0; i < 4; i++)
        to[3 + i] = (uint8_t)digits[code >> (12 - 4 * i) & 15];
    to[7] = ';';
    return 8;
}

/* Writes bytes as they are; a value has them too. */
static void html_entity_put(struct html_normaliser *html, struct html_cursor *cursor,
                            const uint8_t *bytes, size_t length)
{
    memcpy(cursor->nocomment, bytes, length);
    cursor->nocomment += length;
    if (html->back == HTML_VALUE)
        html_value_add(html, bytes, length);
}

/* '&' and the name, in lower case: what is not an entity. */
static void html_entity_raw(struct html_normaliser *html, struct html_cursor *cursor)
{
    html_entity_put(html, cursor, (const uint8_t *)"&", 1);
    for (uint32_t i = 0; i < html->entity_length; i++)
        html->entity[i] = html_lower(html->entity[i]);
    html_entity_put(html, cursor, html->entity, html->entity_length);
}

/* An entity that is known and complete in this chunk, and followed by something. */
static bool html_entity_whole(struct html_normaliser *html, struct html_cursor *cursor)
{
    const uint8_t *name = cursor->at;
    size_t length = 0;
    uint8_t bytes[8];
    uint16_t code;

    if ((size_t)(cursor->end - name) <= sizeof(entities[0].name))
        return false;
    while (length <= 8 && (html_class[name[length]] & HTML_IS_ENTITY) != 0)
        length++;
    if (length > 8 || name[length] != ';')
        return false;
    code = html_entity_code(name, length);
    if (code == 0)
        return false;
    html_entity_put(html, cursor, bytes, html_code_point(code, bytes));
    cursor->at += length + 1;
    html->state = html->back;
    return true;
}

void html_reference(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (*cursor->at == '\r') {
        cursor->at++;
    } else if (*cursor->at == '#') {
        cursor->at++;
        html->number = 0;
        html->hex = false;
        html->state = HTML_NUMBER;
    } else if (!html_entity_whole(html, cursor)) {
        html->state = HTML_ENTITY;
    }
}

void html_entity(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at;
        uint8_t bytes[8];
        uint16_t code;

        if ((html_class[byte] & HTML_IS_ENTITY) != 0 && html->entity_length < HTML_VALUE_MAX) {
            html->entity[html->entity_length++] = byte;
            cursor->at++;
            continue;
        }
        if (byte == '\r') {
            cursor->at++;
            continue;
        }
        code = byte == ';' ? html_entity_code(html->entity, html->entity_length) : 0;
        if (code != 0)
            html_entity_put(html, cursor, bytes, html_code_point(code, bytes));
        else
            html_entity_raw(html, cursor);
        if (byte == ';') {
            if (code == 0)
                html_entity_put(html, cursor, (const uint8_t *)";", 1);
            cursor->at++;
        }
        html->entity_length = 0;
        html->state = html->back;
        return;
    }
}

void html_entity_end(struct html_normaliser *html, struct html_cursor *cursor)
{
    uint8_t bytes[8];
    uint16_t code = html_entity_code(html->entity, html->entity_length);

    if (html->entity_length == 0)
        return;
    if (code != 0)
        html_entity_put(html, cursor, bytes, html_code_point(code, bytes));
    else
        html_entity_raw(html, cursor);
}

/* ';' after a number. */
static void html_number_end(struct html_normaliser *html, struct html_cursor *cursor)
{
    uint8_t low = (uint8_t)html->number;
    uint8_t bytes[8];
    size_t length;

    if (html->back == HTML_VALUE)
        html_value_add(html, &low, 1);
    if (html->number < 0x80) {
        html_put(cursor, html_lower(low));
        return;
    }
    length = html_code_point((uint16_t)html->number, bytes);
    memcpy(cursor->nocomment, bytes, length);
    cursor->nocomment += length;
}

/* One more digit. Returns false when the number becomes too large. */
static bool html_number_digit(struct html_normaliser *html, uint8_t byte)
{
    int64_t digit =
        (html_class[byte] & HTML_IS_DIGIT) != 0 ? byte - '0' : html_lower(byte) - 'a' + 10;

    if (html->hex && html->number < INT64_MAX / 16)
        html->number *= 16;
    else if (html->number < INT64_MAX / 10)
        html->number *= 10;
    else
        return false;
    if (html->number > INT64_MAX - digit)
        return false;
    html->number += digit;
    return true;
}

/* Takes one byte. Returns true when the number is over. */
static bool html_number_byte(struct html_normaliser *html, struct html_cursor *cursor, uint8_t byte)
{
    if (html->number == 0 && (byte == 'x' || byte == 'X')) {
        html->hex = true;
    } else if (byte == ';') {
        html_number_end(html, cursor);
        cursor->at++;
        return true;
    } else if ((html_class[byte] & (html->hex ? HTML_IS_HEX : HTML_IS_DIGIT)) != 0) {
        if (!html_number_digit(html, byte)) {
            html_put(cursor, (uint8_t)html->number);
            cursor->at++;
            return true;
        }
    } else if (byte != '\r') {
        html_put(cursor, (uint8_t)html->number);
        return true;
    }
    cursor->at++;
    return false;
}

void html_number(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        if (html_number_byte(html, cursor, *cursor->at)) {
            html->state = html->back;
            return;
        }
    }
}
