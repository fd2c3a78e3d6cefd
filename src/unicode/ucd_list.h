/* ucd_list.h - names of categories, grapheme classes and binary properties, in table order.
 *
 * Both the tables' generator and the library are made from these lists, so that a number means the
 * same in both. Spelled as in the Unicode character database. */
#ifndef UNICODE_UCD_LIST_H
#define UNICODE_UCD_LIST_H

#include <stdint.h>

/* clang-format off */
#define UCD_CATEGORY_LIST(X)                                                        \
    X(Cn, "Unassigned") X(Cc, "Control") X(Cf, "Format") X(Co, "Private_Use")       \
    X(Cs, "Surrogate") X(Lu, "Uppercase_Letter") X(Ll, "Lowercase_Letter")          \
    X(Lt, "Titlecase_Letter") X(Lm, "Modifier_Letter") X(Lo, "Other_Letter")        \
    X(Mn, "Nonspacing_Mark") X(Mc, "Spacing_Mark") X(Me, "Enclosing_Mark")          \
    X(Nd, "Decimal_Number") X(Nl, "Letter_Number") X(No, "Other_Number")            \
    X(Pc, "Connector_Punctuation") X(Pd, "Dash_Punctuation")                        \
    X(Ps, "Open_Punctuation") X(Pe, "Close_Punctuation")                            \
    X(Pi, "Initial_Punctuation") X(Pf, "Final_Punctuation")                         \
    X(Po, "Other_Punctuation") X(Sm, "Math_Symbol") X(Sc, "Currency_Symbol")        \
    X(Sk, "Modifier_Symbol") X(So, "Other_Symbol") X(Zs, "Space_Separator")         \
    X(Zl, "Line_Separator") X(Zp, "Paragraph_Separator")

#define UCD_GRAPHEME_LIST(X)                                                        \
    X(Other, "XX") X(CR, "CR") X(LF, "LF") X(Control, "CN") X(Extend, "EX")         \
    X(ZWJ, "ZWJ") X(Regional_Indicator, "RI") X(Prepend, "PP")                      \
    X(SpacingMark, "SM") X(L, "L") X(V, "V") X(T, "T") X(LV, "LV") X(LVT, "LVT")

#define UCD_PROPERTY_LIST(X)                                                        \
    X(Alphabetic, "Alpha") X(Uppercase, "Upper") X(Lowercase, "Lower")              \
    X(White_Space, "Space") X(Cased, "Cased") X(Case_Ignorable, "CI")               \
    X(Changes_When_Lowercased, "CWL") X(Changes_When_Uppercased, "CWU")             \
    X(Changes_When_Titlecased, "CWT") X(Changes_When_Casefolded, "CWCF")            \
    X(Changes_When_Casemapped, "CWCM") X(Math, "Math") X(Dash, "Dash")              \
    X(Hex_Digit, "Hex") X(ASCII_Hex_Digit, "AHex") X(Ideographic, "Ideo")           \
    X(Unified_Ideograph, "UIdeo") X(Diacritic, "Dia") X(Extender, "Ext")            \
    X(Join_Control, "Join_C") X(Noncharacter_Code_Point, "NChar")                   \
    X(Default_Ignorable_Code_Point, "DI") X(Deprecated, "Dep")                      \
    X(Logical_Order_Exception, "LOE") X(Variation_Selector, "VS")                   \
    X(Pattern_White_Space, "Pat_WS") X(Pattern_Syntax, "Pat_Syn")                   \
    X(Quotation_Mark, "QMark") X(Terminal_Punctuation, "Term")                      \
    X(Sentence_Terminal, "STerm") X(Soft_Dotted, "SD") X(Radical, "Radical")        \
    X(Regional_Indicator, "RI") X(Bidi_Control, "Bidi_C") X(ID_Start, "IDS")        \
    X(ID_Continue, "IDC") X(XID_Start, "XIDS") X(XID_Continue, "XIDC")              \
    X(Grapheme_Base, "Gr_Base") X(Grapheme_Extend, "Gr_Ext") X(Emoji, "Emoji")      \
    X(Emoji_Presentation, "EPres") X(Emoji_Modifier, "EMod")                        \
    X(Emoji_Modifier_Base, "EBase") X(Emoji_Component, "EComp")                     \
    X(Extended_Pictographic, "ExtPict") X(Prepended_Concatenation_Mark, "PCM")
/* clang-format on */

/* One combination of properties; many code points share it. Case mappings are distances. */
typedef struct ucd_record {
    uint64_t props; /* bit per property */
    int32_t lower, upper, fold, next;
    uint8_t category, script, grapheme, pad;
} ucd_record;

typedef struct ucd_script {
    const char *name, *alias;
} ucd_script;

enum { UCD_BLOCK = 128, UCD_N_BLOCK = 0x110000 / UCD_BLOCK };

/* record number of cp = ucd_stage2[ucd_stage1[cp / UCD_BLOCK] * UCD_BLOCK + cp % UCD_BLOCK] */
extern const char ucd_tables_version[];
extern const uint16_t ucd_stage1[UCD_N_BLOCK];
extern const uint16_t ucd_stage2[];
extern const ucd_record ucd_records[];
extern const ucd_script ucd_scripts[];
extern const unsigned ucd_tables_scripts;

#endif
