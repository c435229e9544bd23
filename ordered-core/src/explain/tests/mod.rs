mod held_up;
mod moving;
mod scene;
mod words;
