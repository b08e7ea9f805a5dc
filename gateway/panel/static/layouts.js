// What lies where on the keyboard: eleven keys a row, so that each is 60 px or more on a screen of 800 px.
"use strict";

const LAYOUTS = {
  qwerty: ["q w e r t y u i o p '", "a s d f g h j k l - .", "{shift} z x c v b n m , / &"],
  qwertz: ["q w e r t z u i o p ü", "a s d f g h j k l ö ä", "{shift} y x c v b n m ß - '"],
  azerty: ["a z e r t y u i o p é", "q s d f g h j k l m è", "{shift} w x c v b n ç à - '"],
  italian: ["q w e r t y u i o p è", "a s d f g h j k l ò à", "{shift} z x c v b n m ù ì '"],
};

// Of every keyboard: a long list, because nobody finds a letter by holding a key in gloves.
const MORE = {
  numbers: ["1 2 3 4 5 6 7 8 9 0 -", ". , : ; / _ # + * ( )", "& @ ! ? % ' \" $ < > |"],
  accents: ["à á â ã ä å æ ç è é ê", "ë ì í î ï ñ ò ó ô õ ö", "{shift} ø œ ù ú û ü ý ÿ ß þ"],
  letters2: ["ą ć č ď đ ę ě ğ ı ł ń", "ň ő ř ś š ş ș ť ț ţ ů", "{shift} ű ź ż ž ā ē ī ū ħ ĺ"],
  pad: ["1 2 3", "4 5 6", "7 8 9", "{delete} 0"],
};
