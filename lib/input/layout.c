/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.c - the tables of layout.h. A layout is what it changes of the American one, row by row:
 * the keys left of Backspace, right of Tab, right of Caps Lock (with the one left of Enter last),
 * right of Shift (with the one between Shift and Z first).
 */
#include "layout.h"

#include <stddef.h>
#include <uchar.h>

#include <linux/input-event-codes.h>

#define ROWS   4
#define LEVELS 3 /* plain, with Shift, with AltGr */

/* A blank is no character: Space makes those. */
struct layout {
    const char32_t *rows[ROWS][LEVELS];
};

static const uint16_t row_keys[ROWS][14] = {
    {KEY_GRAVE, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7, KEY_8, KEY_9, KEY_0, KEY_MINUS,
     KEY_EQUAL},
    {KEY_Q, KEY_W, KEY_E, KEY_R, KEY_T, KEY_Y, KEY_U, KEY_I, KEY_O, KEY_P, KEY_LEFTBRACE,
     KEY_RIGHTBRACE},
    {KEY_A, KEY_S, KEY_D, KEY_F, KEY_G, KEY_H, KEY_J, KEY_K, KEY_L, KEY_SEMICOLON, KEY_APOSTROPHE,
     KEY_BACKSLASH},
    {KEY_102ND, KEY_Z, KEY_X, KEY_C, KEY_V, KEY_B, KEY_N, KEY_M, KEY_COMMA, KEY_DOT, KEY_SLASH},
};

const char *const layout_names[] = {"us", "gb", "de", "fr", "es", "it",
                                    "pt", "se", "no", "dk", "pl", NULL};

static const struct layout layouts[] = {
    {{/* us */
      {U"`1234567890-=", U"~!@#$%^&*()_+", U""},
      {U"qwertyuiop[]", U"QWERTYUIOP{}", U""},
      {U"asdfghjkl;'\\", U"ASDFGHJKL:\"|", U""},
      {U"<zxcvbnm,./", U">ZXCVBNM<>?", U""}}},
    {{/* gb */
      {U"`1234567890-=", U"\u00ac!\"\u00a3$%^&*()_+", U"\u00a6   \u20ac"},
      {U"qwertyuiop[]", U"QWERTYUIOP{}", U"  \u00e9   \u00fa\u00ed\u00f3"},
      {U"asdfghjkl;'#", U"ASDFGHJKL:@~", U"\u00e1"},
      {U"\\zxcvbnm,./", U"|ZXCVBNM<>?", U""}}},
    {{/* de */
      {U"\u03021234567890\u00df\u0301", U"\u00b0!\"\u00a7$%&/()=?\u0300",
       U"  \u00b2\u00b3   {[]}\\"},
      {U"qwertzuiop\u00fc+", U"QWERTZUIOP\u00dc*", U"@ \u20ac        ~"},
      {U"asdfghjkl\u00f6\u00e4#", U"ASDFGHJKL\u00d6\u00c4'", U""},
      {U"<yxcvbnm,.-", U">YXCVBNM;:_", U"|      \u00b5"}}},
    {{/* fr */
      {U"\u00b2&\u00e9\"'(-\u00e8_\u00e7\u00e0)=", U" 1234567890\u00b0+", U"  ~#{[|`\\^@]}"},
      {U"azertyuiop\u0302$", U"AZERTYUIOP\u0308\u00a3", U"  \u20ac        \u00a4"},
      {U"qsdfghjklm\u00f9*", U"QSDFGHJKLM%\u00b5", U""},
      {U"<wxcvbn,;:!", U">WXCVBN?./\u00a7", U""}}},
    {{/* es */
      {U"\u00ba1234567890'\u00a1", U"\u00aa!\"\u00b7$%&/()=?\u00bf", U"\\|@#~\u20ac\u00ac"},
      {U"qwertyuiop\u0300+", U"QWERTYUIOP\u0302*", U"          []"},
      {U"asdfghjkl\u00f1\u0301\u00e7", U"ASDFGHJKL\u00d1\u0308\u00c7", U"          {}"},
      {U"<zxcvbnm,.-", U">ZXCVBNM;:_", U""}}},
    {{/* it */
      {U"\\1234567890'\u00ec", U"|!\"\u00a3$%&/()=?^", U"            ~"},
      {U"qwertyuiop\u00e8+", U"QWERTYUIOP\u00e9*", U"  \u20ac       []"},
      {U"asdfghjkl\u00f2\u00e0\u00f9", U"ASDFGHJKL\u00e7\u00b0\u00a7", U"         @#"},
      {U"<zxcvbnm,.-", U">ZXCVBNM;:_", U""}}},
    {{/* pt */
      {U"\\1234567890'\u00ab", U"|!\"#$%&/()=?\u00bb", U"  @\u00a3\u00a7  {[]}"},
      {U"qwertyuiop+\u0301", U"QWERTYUIOP*\u0300", U"  \u20ac       \u0308"},
      {U"asdfghjkl\u00e7\u00ba\u0303", U"ASDFGHJKL\u00c7\u00aa\u0302", U""},
      {U"<zxcvbnm,.-", U">ZXCVBNM;:_", U""}}},
    {{/* se, also Finland's */
      {U"\u00a71234567890+\u0301", U"\u00bd!\"#\u00a4%&/()=?\u0300", U"  @\u00a3$\u20ac {[]}\\"},
      {U"qwertyuiop\u00e5\u0308", U"QWERTYUIOP\u00c5\u0302", U"  \u20ac        \u0303"},
      {U"asdfghjkl\u00f6\u00e4'", U"ASDFGHJKL\u00d6\u00c4*", U""},
      {U"<zxcvbnm,.-", U">ZXCVBNM;:_", U"|      \u00b5"}}},
    {{/* no */
      {U"|1234567890+\\", U"\u00a7!\"#\u00a4%&/()=?\u0300", U"  @\u00a3$\u20ac {[]} \u0301"},
      {U"qwertyuiop\u00e5\u0308", U"QWERTYUIOP\u00c5\u0302", U"  \u20ac        \u0303"},
      {U"asdfghjkl\u00f8\u00e6'", U"ASDFGHJKL\u00d8\u00c6*", U""},
      {U"<zxcvbnm,.-", U">ZXCVBNM;:_", U"       \u00b5"}}},
    {{/* dk */
      {U"\u00bd1234567890+\u0301", U"\u00a7!\"#\u00a4%&/()=?\u0300", U"  @\u00a3$\u20ac {[]} |"},
      {U"qwertyuiop\u00e5\u0308", U"QWERTYUIOP\u00c5\u0302", U"  \u20ac        \u0303"},
      {U"asdfghjkl\u00e6\u00f8'", U"ASDFGHJKL\u00c6\u00d8*", U""},
      {U"<zxcvbnm,.-", U">ZXCVBNM;:_", U"\\      \u00b5"}}},
    {{/* pl, the programmer's */
      {U"`1234567890-=", U"~!@#$%^&*()_+", U""},
      {U"qwertyuiop[]", U"QWERTYUIOP{}", U"  \u0119     \u00f3"},
      {U"asdfghjkl;'\\", U"ASDFGHJKL:\"|", U"\u0105\u015b      \u0142"},
      {U"<zxcvbnm,./", U">ZXCVBNM<>?", U" \u017c\u017a\u0107  \u0144"}}},
};

const struct layout *
layout_get(uint32_t index)
{
    return &layouts[index < sizeof layouts / sizeof *layouts ? index : 0];
}

bool
layout_find(const struct layout *l, uint32_t unicode, uint32_t *ret_key, uint32_t *ret_with)
{
    static const uint32_t with[LEVELS] = {0, LAYOUT_SHIFT, LAYOUT_ALTGR};

    if (unicode == ' ') {
        *ret_key = KEY_SPACE;
        *ret_with = 0;
        return true;
    }
    for (uint32_t level = 0; level < LEVELS; level++) {
        /* The key between Shift and Z comes last: not every keyboard has it. */
        for (uint32_t row = 0; row < ROWS; row++) {
            const char32_t *keys = l->rows[row][level];

            for (uint32_t i = 0; keys[i]; i++)
                if (keys[i] == unicode && !(row == ROWS - 1 && i == 0)) {
                    *ret_key = row_keys[row][i];
                    *ret_with = with[level];
                    return true;
                }
        }
    }
    for (uint32_t level = 0; level < LEVELS; level++)
        if (l->rows[ROWS - 1][level][0] == unicode && unicode) {
            *ret_key = KEY_102ND;
            *ret_with = with[level];
            return true;
        }
    return false;
}
